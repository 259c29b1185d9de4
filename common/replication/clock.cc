#include "common/replication/clock.h"

#include <algorithm>

namespace dunlin::replication {

namespace {

// Of a clock that NTP or a person has set.
constexpr Duration kOwnUncertainty = std::chrono::seconds(1);

Hlc stamp_of(UtcMicros utc) {
  return Hlc::of(static_cast<std::uint64_t>(std::clamp<UtcMicros>(utc, 0, kLatestUtc) / 1000), 0);
}

}  // namespace

std::optional<UtcMicros> Clock::utc(const Moment& now) const {
  if (now.synchronised) return now.utc;
  if (!told_) return std::nullopt;
  return (now.mono.time_since_epoch() + told_->ahead).count();
}

Duration Clock::uncertainty(const Moment& now) const {
  return now.synchronised || !told_ ? kOwnUncertainty : told_->uncertainty;
}

void Clock::learn(Instant mono, UtcMicros utc, Duration uncertainty) {
  told_ = Told{Duration(utc) - mono.time_since_epoch(), uncertainty};
}

Hlc Clock::next(const Moment& now) {
  hlc_.value += 1;
  if (const auto known = utc(now)) hlc_ = std::max(hlc_, stamp_of(*known));
  return hlc_;
}

void Clock::heard(const Moment& now, Hlc stamp) {
  const auto known = utc(now);
  if (known) hlc_ = std::max(hlc_, std::min(stamp, stamp_of(*known + kAheadMax.count())));
}

}  // namespace dunlin::replication
