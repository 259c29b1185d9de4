#include "common/replication/log_table.h"

#include <gtest/gtest.h>

namespace dunlin::replication {
namespace {

constexpr Instant at(int second) {
  return Instant(std::chrono::seconds(second));
}

class LogRecordTest : public testing::Test {
 protected:
  LogRecordTest() {
    record_.state = LogState(id_);
    admit({1, 10});
  }
  void admit(Interval entries) {
    SegmentInfo info{.log = id_};
    info.first = entries.first;
    info.last = entries.last;
    record_.state.admit(info);
    record_.settle(at(0));
  }
  std::optional<Seq> last_wanted() const { return record_.wanted().last(); }

  const LogId id_{{}, Epoch{5}, kSamplesTrack};
  LogRecord record_;
};

TEST_F(LogRecordTest, WhatIsHereIsNoNews) {
  record_.claim(10, at(1));
  EXPECT_EQ(record_.known_head(), 10U);
  EXPECT_TRUE(record_.wanted().empty());
  EXPECT_EQ(record_.heard_of(10), std::nullopt);
}

TEST_F(LogRecordTest, TheLatestClaimCountsWhileItIsFresh) {
  record_.claim(30, at(1));
  record_.claim(20, at(2));
  EXPECT_EQ(record_.known_head(), 20U);
  EXPECT_EQ(last_wanted(), 20U);
  EXPECT_EQ(record_.heard_of(11), at(1)) << "of more than that";
  record_.forget_claim(at(2));
  EXPECT_EQ(record_.known_head(), 20U);
  record_.forget_claim(at(3));
  EXPECT_EQ(record_.known_head(), 10U);
}

TEST_F(LogRecordTest, WhatIsBeingWrittenIsNotWanted) {
  record_.claim(20, at(1));
  record_.begin_write({11, 20}, at(2));
  EXPECT_TRUE(record_.writing().contains({11, 20}));
  EXPECT_TRUE(record_.wanted().empty());
  record_.end_write({11, 20}, at(3));
  EXPECT_TRUE(record_.writing().empty());
  EXPECT_EQ(last_wanted(), 20U) << "it was not stored";
  EXPECT_EQ(record_.heard_of(20), at(1));
}

TEST_F(LogRecordTest, AGapAgesFromWhenItWasHeardOf) {
  record_.begin_write({16, 20}, at(4));
  record_.end_write({16, 20}, at(5));
  admit({16, 20});
  EXPECT_EQ(record_.heard_of(11), at(4));
  record_.claim(20, at(6));
  EXPECT_EQ(record_.heard_of(11), at(4));
  admit({11, 15});
  EXPECT_EQ(record_.heard_of(20), std::nullopt);
}

}  // namespace
}  // namespace dunlin::replication
