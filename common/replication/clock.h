#pragma once

#include <optional>

#include "common/base/time.h"
#include "common/log/entry.h"

namespace dunlin::replication {

// What a node knows of time: UTC while it is synchronised, and its hybrid logical clock.
//
// A node is synchronised while its own clock is (Moment::synchronised), or once somebody told it
// what its monotonic clock means. Stamps of peers advance the logical clock at most kAheadMax
// beyond that, so that one clock that is wrong does not take the fleet with it; without
// synchronised time they do nothing. The logical clock never goes back, whatever the others do.
class Clock {
 public:
  static constexpr Duration kAheadMax = std::chrono::seconds(60);

  // Every stamp from here on is greater than `last`.
  void start(Hlc last) { hlc_ = std::max(hlc_, last); }

  // The best UTC there is; nothing while not synchronised.
  std::optional<UtcMicros> utc(const Moment& now) const;
  // How far off that may be.
  Duration uncertainty(const Moment& now) const;
  // At `mono` it was `utc`, give or take. The node's own clock is still preferred while it is good.
  void learn(Instant mono, UtcMicros utc, Duration uncertainty);

  // The stamp of an entry: greater than every one before.
  Hlc next(const Moment& now);
  // The greatest stamp that was given or heard.
  Hlc last() const { return hlc_; }
  // A peer was as far as this.
  void heard(const Moment& now, Hlc stamp);

 private:
  struct Told {
    Duration ahead{};  // of the monotonic clock
    Duration uncertainty{};
  };
  std::optional<Told> told_;
  Hlc hlc_;
};

}  // namespace dunlin::replication
