#include "common/telemetry/rate_limit.h"

#include <utility>

namespace dunlin {

std::optional<std::uint64_t> RateLimit::pass(std::string_view key, Instant now) {
  const std::lock_guard lock(mutex_);
  Entry& entry = entry_of(key, now);
  if (entry.passed && now - *entry.passed < interval_) {
    ++entry.swallowed;
    return std::nullopt;
  }
  entry.passed = now;
  return std::exchange(entry.swallowed, 0);
}

RateLimit::Entry& RateLimit::entry_of(std::string_view key, Instant now) {
  if (const auto found = entries_.find(key); found != entries_.end()) return found->second;
  // Room is made at most once per interval, or a flood of keys would pay for a sweep each.
  if (entries_.size() >= keys_max_ && (!swept_ || now - *swept_ >= interval_)) {
    swept_ = now;
    std::erase_if(entries_, [&](const auto& e) { return now - *e.second.passed >= interval_; });
  }
  if (entries_.size() >= keys_max_) return catch_all_;
  return entries_[std::string(key)];
}

}  // namespace dunlin
