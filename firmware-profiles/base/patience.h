#pragma once

#include <algorithm>
#include <chrono>

namespace dunlin {

// How long a machine whose program is not ready is left running before it is reset: kGiveUp, and as
// long as the program says that it gets on, but for kMost in all.
class Patience {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::minutes kGiveUp{30};
  static constexpr std::chrono::hours kMost{6};  // a large log on a slow card is salvaged in less

  explicit Patience(Time now) { is_down(now); }
  // The first time counts until is_ready().
  void is_down(Time now) {
    if (end_ != Time::max()) return;
    end_ = now + kGiveUp;
    last_ = now + kMost;
  }
  void is_ready() { end_ = Time::max(); }
  // It gets on, and will say so again or be ready by then.
  void gets_on(Time until) {
    if (end_ != Time::max()) end_ = std::max(end_, std::min(until, last_));
  }
  bool lasts(Time now) const { return now < end_; }

 private:
  Time end_ = Time::max();  // while it is ready
  Time last_{};
};

}  // namespace dunlin
