#include "common/runtime/disk_queue.h"

#include <gtest/gtest.h>

namespace dunlin::runtime {
namespace {

using replication::Lane;
using replication::ListOldest;
using replication::Read;
using replication::Token;
using replication::Write;

constexpr std::size_t kPiece = 64 * 1024;

class DiskQueueTest : public testing::Test {
 protected:
  Token write(Lane lane, std::size_t bytes = 100) {
    SegmentRecord segment;
    segment.bytes = std::make_shared<const Bytes>(bytes);
    queue_.push(Write{{.segments = {segment}}, ++last_token_, lane});
    return last_token_;
  }
  Token read(Lane lane) {
    queue_.push(Read{++last_token_, {}, {}, 0, lane});
    return last_token_;
  }
  Token list() {
    queue_.push(ListOldest{++last_token_, {}, 1});
    return last_token_;
  }
  std::vector<Token> round() {
    std::vector<Token> tokens;
    for (const DiskQueue::Request& request : queue_.next_round())
      tokens.push_back(std::visit([](const auto& item) { return item.token; }, request));
    return tokens;
  }

  DiskQueue queue_;
  Token last_token_ = 0;
};

TEST_F(DiskQueueTest, KeepsTheOrderOfWhatIsLive) {
  EXPECT_TRUE(queue_.empty());
  std::vector<Token> all{write(Lane::live), read(Lane::live), list(), write(Lane::live)};
  EXPECT_FALSE(queue_.empty());
  EXPECT_EQ(round(), all);
  EXPECT_TRUE(queue_.empty());
}

TEST_F(DiskQueueTest, WhatIsLiveOvertakesTheBacklog) {
  const Token old = write(Lane::bulk), answer = read(Lane::bulk);
  const Token fresh = write(Lane::live), newest = read(Lane::live);
  EXPECT_EQ(round(), (std::vector<Token>{fresh, newest, old, answer}));
}

TEST_F(DiskQueueTest, KnowsWhatWaits) {
  write(Lane::live, 10), write(Lane::bulk, 200), read(Lane::bulk), list();
  EXPECT_EQ(queue_.size(), 4U);
  EXPECT_EQ(queue_.bytes(), 210U);
  while (!queue_.empty()) round();
  EXPECT_EQ(queue_.size(), 0U);
  EXPECT_EQ(queue_.bytes(), 0U);
}

TEST_F(DiskQueueTest, ARoundHoldsLittleOfTheBulkLane) {
  std::vector<Token> writes, reads;
  for (int i = 0; i < 6; ++i) writes.push_back(write(Lane::bulk, kPiece));
  for (int i = 0; i < 2; ++i) reads.push_back(read(Lane::bulk));
  EXPECT_EQ(round(), (std::vector<Token>{writes[0], writes[1], writes[2], writes[3], reads[0]}));
  const Token fresh = write(Lane::live);
  EXPECT_FALSE(queue_.empty());
  EXPECT_EQ(round(), (std::vector<Token>{fresh, writes[4], writes[5], reads[1]}));
  EXPECT_TRUE(queue_.empty());
}

TEST_F(DiskQueueTest, AWriteThatStandsAloneHasItsOwnRound) {
  const Token before = write(Lane::live), old = write(Lane::bulk);
  queue_.push(Write{{.epoch = Epoch{2}}, ++last_token_});
  const Token alone = last_token_, later = write(Lane::live);
  EXPECT_EQ(round(), std::vector{before});
  EXPECT_EQ(round(), std::vector{alone});
  EXPECT_EQ(round(), (std::vector<Token>{later, old}));
}

TEST_F(DiskQueueTest, TheBulkLaneGoesOnWhateverIsLive) {
  const Token large = write(Lane::bulk, 100 * kPiece);
  const Token next = write(Lane::bulk);
  const Token live = write(Lane::live, 100 * kPiece);
  EXPECT_EQ(round(), (std::vector<Token>{live, large}));
  const Token more = write(Lane::live);
  EXPECT_EQ(round(), (std::vector<Token>{more, next}));
}

}  // namespace
}  // namespace dunlin::runtime
