#include "common/transport/mqtt/backoff.h"

#include <gtest/gtest.h>

namespace dunlin {
namespace {

using std::chrono::seconds;

TEST(Backoff, StaysBelowACapThatDoublesToFiveMinutes) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Backoff backoff(seed);
    Duration cap = seconds(1);
    for (int attempt = 0; attempt < 12; ++attempt) {
      const Duration delay = backoff.next(Duration(0));
      EXPECT_GE(delay, Duration(0));
      EXPECT_LT(delay, cap);
      cap = std::min<Duration>(cap * 2, seconds(300));
    }
  }
}

TEST(Backoff, UsesTheWholeRange) {
  Duration longest{0};
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Backoff backoff(seed);
    for (int attempt = 0; attempt < 12; ++attempt) longest = std::max(longest, backoff.next({}));
  }
  EXPECT_GT(longest, seconds(290));
}

TEST(Backoff, ComesBackDownAfterAConnectionThatHeld) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Backoff backoff(seed);
    for (int attempt = 0; attempt < 12; ++attempt) backoff.next(Duration(0));
    EXPECT_LT(backoff.next(seconds(30)), seconds(1));
  }
}

TEST(Backoff, RepeatsItselfForOneSeed) {
  Backoff one(7);
  Backoff same(7);
  Backoff other(8);
  bool differs = false;
  for (int attempt = 0; attempt < 12; ++attempt) {
    const Duration delay = one.next(Duration(0));
    EXPECT_EQ(delay, same.next(Duration(0)));
    differs |= delay != other.next(Duration(0));
  }
  EXPECT_TRUE(differs);
}

}  // namespace
}  // namespace dunlin
