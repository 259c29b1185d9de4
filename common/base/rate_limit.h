#pragma once

#include <algorithm>

#include "common/base/time.h"

namespace dunlin {

// A bucket of what may happen: `per_second` flow in, at most `burst` stay, and it begins full.
class RateLimit {
 public:
  RateLimit(double per_second, double burst)
      : per_second_(per_second), burst_(burst), left_(burst) {}

  // False: not now. A cost above `burst` waits for a full bucket and leaves a debt.
  bool take(Instant now, double cost = 1) {
    refill(now);
    if (left_ < std::min(cost, burst_)) return false;
    left_ -= cost;
    return true;
  }

 private:
  void refill(Instant now) {
    if (now > last_)
      left_ = std::min(burst_,
                       left_ + per_second_ * std::chrono::duration<double>(now - last_).count());
    last_ = std::max(last_, now);
  }

  double per_second_, burst_, left_;
  Instant last_{};
};

}  // namespace dunlin
