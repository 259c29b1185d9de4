#include "common/replication/clock.h"

#include <gtest/gtest.h>

#include <limits>

namespace dunlin::replication {
namespace {

using namespace std::chrono_literals;

constexpr UtcMicros kNow = 1'767'225'600'000'000;

Moment good(UtcMicros utc = kNow) {
  return {Instant(1h), utc, true};
}
Moment dazed(Duration mono = 1h) {
  return {Instant(mono), mono.count(), false};
}
Hlc stamp(UtcMicros utc, std::uint16_t counter = 0) {
  return Hlc::of(static_cast<std::uint64_t>(utc / 1000), counter);
}

TEST(Clock, FollowsTheTimeAndNeverGoesBack) {
  Clock clock;
  EXPECT_EQ(clock.next(good()), stamp(kNow));
  EXPECT_EQ(clock.next(good()), stamp(kNow, 1));
  EXPECT_EQ(clock.next(good(kNow - 3'600'000'000)), stamp(kNow, 2));
  EXPECT_EQ(clock.next(dazed()), stamp(kNow, 3));
  EXPECT_EQ(clock.next(good(kNow + 1000)), stamp(kNow + 1000));
  EXPECT_EQ(clock.last(), stamp(kNow + 1000));

  Clock restarted;
  restarted.start(clock.last());
  EXPECT_GT(restarted.next(good(kNow - 1'000'000)), clock.last());
}

TEST(Clock, ACounterThatIsFullRunsIntoTheMilliseconds) {
  Clock clock;
  clock.start(stamp(kNow, 0xffff));
  EXPECT_EQ(clock.next(good()), stamp(kNow + 1000));
}

TEST(Clock, PeersAdvanceItByAMinuteAtMost) {
  Clock clock;
  clock.heard(good(), stamp(kNow + 59'000'000, 7));
  EXPECT_EQ(clock.next(good()), stamp(kNow + 59'000'000, 8));
  clock.heard(good(), stamp(kNow - 5'000'000));
  EXPECT_EQ(clock.last(), stamp(kNow + 59'000'000, 8));
  clock.heard(good(), Hlc{~std::uint64_t{0}});
  EXPECT_EQ(clock.last(), stamp(kNow + 60'000'000));
}

TEST(Clock, WithoutTimePeersDoNothing) {
  Clock clock;
  clock.heard(dazed(), stamp(kNow));
  EXPECT_EQ(clock.next(dazed()), Hlc{1});
  EXPECT_EQ(clock.utc(dazed()), std::nullopt);
}

TEST(Clock, WhatWasToldRunsOnAndYieldsToAGoodClock) {
  Clock clock;
  clock.learn(Instant(1h), kNow, 40ms);
  EXPECT_EQ(clock.utc(dazed(1h + 5s)), kNow + 5'000'000);
  EXPECT_EQ(clock.uncertainty(dazed()), 40ms);
  EXPECT_EQ(clock.next(dazed()), stamp(kNow));
  EXPECT_EQ(clock.utc(good(kNow + 1)), kNow + 1);
  EXPECT_EQ(clock.uncertainty(good()), 1s);
  clock.heard(dazed(), stamp(kNow + 3'600'000'000));
  EXPECT_EQ(clock.last(), stamp(kNow + 60'000'000));
}

TEST(Clock, TimesWithoutRoomInAStampAreBounded) {
  Clock clock;
  EXPECT_EQ(clock.next(good(-5)), Hlc{1});
  EXPECT_EQ(clock.next(good(std::numeric_limits<UtcMicros>::max())), stamp(kLatestUtc));
}

}  // namespace
}  // namespace dunlin::replication
