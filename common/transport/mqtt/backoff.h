#pragma once

#include <algorithm>

#include "common/base/random.h"
#include "common/base/time.h"

namespace dunlin {

// Exponential backoff with full jitter (Brooker, AWS Architecture Blog, 2015): each delay is
// uniform in [0, cap), and the cap doubles from 1 s to 5 min. So a fleet that lost its broker does
// not come back in step. A connection that held for 30 s brings the cap back down.
class Backoff {
 public:
  explicit Backoff(std::uint64_t seed) : random_(seed) {}

  // How long to wait after a connection that held for `held`; zero for one that never came about.
  Duration next(Duration held) {
    if (held >= kHeldLongEnough) cap_ = kCapMin;
    const Duration delay(
        static_cast<Duration::rep>(random_.below(static_cast<std::uint64_t>(cap_.count()))));
    cap_ = std::min(cap_ * 2, kCapMax);
    return delay;
  }

 private:
  static constexpr Duration kCapMin = std::chrono::seconds(1);
  static constexpr Duration kCapMax = std::chrono::minutes(5);
  static constexpr Duration kHeldLongEnough = std::chrono::seconds(30);

  Random random_;
  Duration cap_ = kCapMin;
};

}  // namespace dunlin
