// std::chrono::system_clock and gmtime are in libraries whose seconds end in 2038 on 32-bit
// processors of Debian 12. No 64-bit time_t leaves this file, so nobody's binary interface changes.
#define _FILE_OFFSET_BITS 64  // a condition of the other
#define _TIME_BITS 64
#include "common/base/wall_clock.h"

#include <time.h>

#include <cstdio>

namespace dunlin {

static_assert(sizeof(timespec::tv_sec) == 8);

UtcMicros utc_now() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return UtcMicros{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
}

std::string utc_text(UtcMicros time) {
  const std::chrono::sys_time<std::chrono::milliseconds> moment(
      std::chrono::milliseconds(time / 1000));
  const auto midnight = std::chrono::floor<std::chrono::days>(moment);
  const std::chrono::year_month_day day(midnight);
  const std::chrono::hh_mm_ss clock(moment - midnight);
  char text[80];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", int(day.year()),
                unsigned(day.month()), unsigned(day.day()), int(clock.hours().count()),
                int(clock.minutes().count()), int(clock.seconds().count()),
                int(clock.subseconds().count()));
  return text;
}

}  // namespace dunlin
