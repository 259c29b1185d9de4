#include "common/base/wall_clock.h"

#include <gtest/gtest.h>

#include <chrono>

namespace dunlin {
namespace {

TEST(WallClock, IsTheSystems) {
  const auto system = [] {
    return std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch())
        .count();
  };
  const UtcMicros before = system();
  const UtcMicros now = utc_now();
  EXPECT_LE(before, now);
  EXPECT_LE(now, system());
}

TEST(WallClock, SaysDatesBeyond2038) {
  EXPECT_EQ(utc_text(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(utc_text(1'782'034'567'890'123), "2026-06-21T09:36:07.890Z");
  EXPECT_EQ(utc_text(2'147'483'648'000'000), "2038-01-19T03:14:08.000Z");
  EXPECT_EQ(utc_text(4'107'542'399'999'999), "2100-02-28T23:59:59.999Z");
}

}  // namespace
}  // namespace dunlin
