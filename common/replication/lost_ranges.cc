#include "common/replication/lost_ranges.h"

#include <algorithm>

namespace dunlin::replication {

void add_lost(std::vector<LostRange>& lost, LostRange range) {
  const auto from = std::find_if(lost.begin(), lost.end(), [&](const LostRange& known) {
    return known.last + 1 >= range.first;
  });
  auto to = from;
  for (; to != lost.end() && to->first <= range.last + 1; ++to) {
    if (to->first <= range.first && range.last <= to->last) return;
    const bool inside = range.first <= to->first && to->last <= range.last;
    if (!inside) range.readings += to->readings;
    if (to->first < range.first) range.first = to->first, range.before = to->before;
    if (to->last > range.last) range.last = to->last, range.after = to->after;
  }
  lost.insert(lost.erase(from, to), range);
}

void bound_lost(std::vector<LostRange>& lost, const IntervalSet& held, std::size_t max) {
  while (lost.size() > max) {
    auto next = std::adjacent_find(lost.begin(), lost.end(), [&](const auto& a, const auto& b) {
      return !held.intersects({a.last + 1, b.first - 1});
    });
    if (next == lost.end()) next = lost.begin();
    LostRange& into = *next++;
    into.last = next->last;
    into.after = next->after;
    into.readings += next->readings;
    lost.erase(next);
  }
}

}  // namespace dunlin::replication
