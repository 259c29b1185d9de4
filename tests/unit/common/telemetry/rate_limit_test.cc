#include "common/telemetry/rate_limit.h"

#include <gtest/gtest.h>

namespace dunlin {
namespace {

constexpr auto at(int seconds) {
  return Instant(std::chrono::seconds(seconds));
}

TEST(RateLimit, PassesEachKeyOncePerIntervalAndCountsTheRest) {
  RateLimit limit;
  EXPECT_EQ(limit.pass("a", at(0)), 0U);
  EXPECT_EQ(limit.pass("b", at(1)), 0U);
  EXPECT_FALSE(limit.pass("a", at(1)));
  EXPECT_FALSE(limit.pass("a", at(59)));
  EXPECT_EQ(limit.pass("a", at(60)), 2U);
  EXPECT_FALSE(limit.pass("b", at(60)));
  EXPECT_EQ(limit.pass("a", at(120)), 0U);
}

TEST(RateLimit, KeysBeyondTheBoundShareOne) {
  RateLimit limit(std::chrono::minutes(1), 2);
  EXPECT_TRUE(limit.pass("a", at(0)));
  EXPECT_TRUE(limit.pass("b", at(0)));
  EXPECT_TRUE(limit.pass("c", at(1)));
  EXPECT_FALSE(limit.pass("d", at(1)));
  EXPECT_FALSE(limit.pass("e", at(2)));
  EXPECT_FALSE(limit.pass("a", at(3)));
  EXPECT_EQ(limit.pass("f", at(62)), 0U) << "a and b have expired: there is room again";
  EXPECT_EQ(limit.pass("g", at(62)), 0U);
  EXPECT_EQ(limit.pass("h", at(62)), 2U) << "the catch-all tells what d and e lost";
}

}  // namespace
}  // namespace dunlin
