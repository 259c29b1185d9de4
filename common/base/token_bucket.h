#pragma once

#include <algorithm>
#include <cstdint>

#include "common/base/time.h"

namespace dunlin {

// A token bucket of what may happen: `per_second` flow in, at most `burst` stay, and it begins
// full. Both below 2^32.
class TokenBucket {
 public:
  TokenBucket(std::int64_t per_second, std::int64_t burst)
      : per_second_(per_second), burst_(burst), left_(burst * kScale) {}

  // False: not now. A cost above `burst` waits for a full bucket and leaves a debt.
  bool take(Instant now, std::int64_t cost = 1) {
    if (now > last_) {
      // In longer than an hour every bucket is full.
      const Duration passed = std::min<Duration>(now - last_, std::chrono::hours(1));
      left_ = std::min(burst_ * kScale, left_ + per_second_ * passed.count());
      last_ = now;
    }
    if (left_ < std::min(cost, burst_) * kScale) return false;
    left_ -= cost * kScale;
    return true;
  }

  // Takes in any case; the debt is at most a full bucket.
  void charge(std::int64_t cost) { left_ = std::max(left_ - cost * kScale, -burst_ * kScale); }

 private:
  static constexpr std::int64_t kScale = 1'000'000;  // left_ counts millionths: no flow is lost
  std::int64_t per_second_, burst_, left_;
  Instant last_{};
};

}  // namespace dunlin
