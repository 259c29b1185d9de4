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

}  // namespace dunlin::replication
