#pragma once

#include <chrono>
#include <cstdint>

namespace dunlin {

using Duration = std::chrono::microseconds;

// The core's clock has no now(): reading the time inside the core does not compile. Only the
// runtime and the simulation make Instants.
struct CoreClock {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<CoreClock>;
  static constexpr bool is_steady = true;
};
using Instant = CoreClock::time_point;

// Microseconds since 1970 UTC.
using UtcMicros = std::int64_t;

// What the driver knows of time when it calls the core.
struct Moment {
  Instant mono;              // never jumps
  UtcMicros utc = 0;         // may jump
  bool synchronised = true;  // false: `utc` is not to be believed (no clock battery, no NTP yet)
};

// Earlier than this the clock was certainly never set: the first release of this project.
inline constexpr UtcMicros kEarliestPlausibleUtc = 1'700'000'000'000'000;
// Later than this there is no room for in a hybrid logical clock: the year 10889.
inline constexpr UtcMicros kLatestUtc = ((UtcMicros{1} << 48) - 1) * 1000;

}  // namespace dunlin
