#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/time.h"

namespace dunlin {

// Keeps an event that may come a thousand times a second from filling the journal: each key passes
// once per interval. Thread-safe.
//
//   if (auto silent = limit.pass(peer, now)) log::warn("refused", {{"repeated", *silent}});
//
// At most `keys_max` keys are remembered. When all are in use within the interval, further keys
// share one catch-all, so that foreign input cannot grow the memory or the log.
class RateLimit {
 public:
  explicit RateLimit(Duration interval = std::chrono::minutes(1), std::size_t keys_max = 1024)
      : interval_(interval), keys_max_(keys_max) {}

  // The number of events of this key swallowed since the last one that passed; nothing: keep quiet.
  // `now` must not run backwards.
  std::optional<std::uint64_t> pass(std::string_view key, Instant now);

 private:
  struct Entry {
    std::optional<Instant> passed;
    std::uint64_t swallowed = 0;
  };
  Entry& entry_of(std::string_view key, Instant now);

  const Duration interval_;
  const std::size_t keys_max_;
  std::mutex mutex_;
  std::map<std::string, Entry, std::less<>> entries_;
  Entry catch_all_;
  std::optional<Instant> swept_;
};

}  // namespace dunlin
