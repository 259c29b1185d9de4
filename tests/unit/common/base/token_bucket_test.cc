#include "common/base/token_bucket.h"

#include <gtest/gtest.h>

namespace dunlin {
namespace {

using namespace std::chrono_literals;

TEST(TokenBucket, GivesItsBurstAndThenItsFlow) {
  TokenBucket bucket(10, 3);
  Instant now(1h);
  for (int n = 0; n < 3; ++n) EXPECT_TRUE(bucket.take(now));
  EXPECT_FALSE(bucket.take(now));
  now += 99ms;
  EXPECT_FALSE(bucket.take(now));
  now += 1ms;
  EXPECT_TRUE(bucket.take(now));
  now += 1000h;
  for (int n = 0; n < 3; ++n) EXPECT_TRUE(bucket.take(now));
  EXPECT_FALSE(bucket.take(now));
}

TEST(TokenBucket, WhatIsLargerThanItLeavesADebt) {
  TokenBucket bucket(10, 20);
  Instant now(1h);
  EXPECT_TRUE(bucket.take(now, 50));
  now += 4900ms;
  EXPECT_FALSE(bucket.take(now, 20));
  EXPECT_TRUE(bucket.take(now, 19));
}

TEST(TokenBucket, AClockThatStandsStillGivesNothing) {
  TokenBucket bucket(1'000'000, 1);
  EXPECT_TRUE(bucket.take(Instant{}));
  for (int n = 0; n < 5; ++n) EXPECT_FALSE(bucket.take(Instant{}));
}

}  // namespace
}  // namespace dunlin
