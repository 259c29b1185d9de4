#include "common/replication/endings.h"

#include <algorithm>
#include <chrono>

namespace dunlin::replication {

namespace {

constexpr Duration kWait = std::chrono::minutes(1);
constexpr Duration kWaitMax = std::chrono::hours(24);
constexpr std::size_t kLogsMax = 64;

}  // namespace

void Endings::heard(const Moment& now, const Vector::Item& item) {
  if (!endings_.contains(item.log) && endings_.size() >= kLogsMax) return;
  Ending& ending = endings_.try_emplace(item.log, Ending{{}, {}, kWait}).first->second;
  // Another gateway may have less of it.
  const bool newer = item.head > ending.item.head ||
                     (item.head == ending.item.head && item.hash != ending.item.hash);
  if (!newer) return;
  ending.item = item;
  ending.due = now.mono + ending.wait;
}

void Endings::forget(const LogId& log) {
  const auto ending = endings_.find(log);
  if (ending == endings_.end()) return;
  ending->second.item = {};
  ending->second.due.reset();
}

std::vector<Vector::Item> Endings::take_due(const Moment& now) {
  std::vector<Vector::Item> due;
  for (auto& [log, ending] : endings_) {
    if (!ending.due || *ending.due > now.mono) continue;
    due.push_back(ending.item);
    ending.due.reset();
    ending.wait = std::min(kWaitMax, 2 * ending.wait);
  }
  return due;
}

std::optional<Instant> Endings::next_deadline() const {
  std::optional<Instant> next;
  for (const auto& [log, ending] : endings_) {
    if (ending.due) next = std::min(next.value_or(*ending.due), *ending.due);
  }
  return next;
}

}  // namespace dunlin::replication
