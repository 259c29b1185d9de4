#include "common/runtime/split_write.h"

#include <gtest/gtest.h>

#include "tests/support/segment_maker.h"

namespace dunlin::runtime {
namespace {

using replication::Lane;
using replication::Write;
using storage::Placement;
using Kind = WriteOutcome::Kind;

class SplitWriteTest : public testing::Test {
 protected:
  Placement place() const {
    return Placement::make({.self = self_.node(), .authority = authority_.node(), .spread = 1},
                           {{a_.node(), 0}, {b_.node(), 1}, {c_.node(), 2}})
        .value();
  }
  static Write write_of(Changes changes) { return {std::move(changes), 7, Lane::bulk}; }

  test::SegmentMaker self_, authority_, a_, b_, c_;
};

TEST_F(SplitWriteTest, WhatOneShardHasIsOnePart) {
  SplitWrite split(
      write_of({.segments = {b_.open(), b_.samples()}, .members = {{b_.node(), {}, "b"}}}), place(),
      3);
  auto parts = split.take_parts();
  ASSERT_EQ(parts.size(), 1u);
  EXPECT_EQ(parts.at(1).segments.size(), 2u);
  EXPECT_EQ(parts.at(1).members.size(), 1u);
  EXPECT_EQ(parts.at(1).token, 7u);
  EXPECT_EQ(parts.at(1).lane, Lane::bulk);
}

TEST_F(SplitWriteTest, EmptyIsAPartOfTheFirst) {
  SplitWrite split(write_of({}), place(), 3);
  EXPECT_TRUE(split.take_parts().contains(0));
}

TEST_F(SplitWriteTest, OutcomesComeInTheirOrder) {
  SplitWrite split(
      write_of({.segments = {c_.open(), a_.open(), b_.open(), a_.samples(), c_.samples()}}),
      place(), 3);
  EXPECT_EQ(split.take_parts().size(), 3u);
  split.finished(2, std::vector<WriteOutcome>{{Kind::stored}, {Kind::won, 9}});
  split.finished(0, std::vector<WriteOutcome>{{Kind::duplicate}, {Kind::fork, 4}});
  EXPECT_FALSE(split.answer().has_value());
  split.finished(1, std::vector<WriteOutcome>{{Kind::stored}});
  const auto answer = split.answer();
  ASSERT_TRUE(answer && answer->outcomes.ok());
  EXPECT_EQ(answer->token, 7u);
  std::vector<Kind> kinds;
  for (const WriteOutcome& outcome : *answer->outcomes) kinds.push_back(outcome.kind);
  EXPECT_EQ(kinds, (std::vector<Kind>{Kind::stored, Kind::duplicate, Kind::stored, Kind::fork,
                                      Kind::won}));
  EXPECT_EQ(answer->outcomes->back().fork_seq, 9u);
}

TEST_F(SplitWriteTest, APartThatFailsFailsAllOfIt) {
  SplitWrite split(write_of({.segments = {a_.open(), b_.open()}}), place(), 3);
  split.finished(1, Error{Errc::storage_full, "no room"});
  EXPECT_FALSE(split.answer().has_value());
  split.finished(0, std::vector<WriteOutcome>{{Kind::stored}});
  const auto answer = split.answer();
  ASSERT_TRUE(answer && !answer->outcomes.ok());
  EXPECT_EQ(answer->outcomes.error().code, Errc::storage_full);
}

TEST_F(SplitWriteTest, EverythingGoesWhereItsNodeIs) {
  Changes changes;
  changes.releases = {{b_.log(), {1, 2}}, {c_.log(), {1, 1}}};
  changes.acks = {{self_.log(), {}}};
  changes.rollbacks = {{self_.log(), 3}};
  changes.members = {{c_.node(), {}, "c"}};
  changes.sightings = {{b_.node(), 5}};
  changes.refused = {{.peer = c_.node()}};
  changes.epoch = Epoch{9};
  SplitWrite split(write_of(std::move(changes)), place(), 3);
  auto parts = split.take_parts();
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(parts.at(0).acks.size() + parts.at(0).rollbacks.size() + parts.at(0).refused.size(),
            3u);
  EXPECT_EQ(parts.at(0).epoch, Epoch{9});
  EXPECT_EQ(parts.at(1).releases.size(), 1u);
  EXPECT_EQ(parts.at(1).sightings.size(), 1u);
  EXPECT_EQ(parts.at(2).releases.size(), 1u);
  EXPECT_EQ(parts.at(2).members.size(), 1u);
  EXPECT_FALSE(parts.at(1).stands_alone() || parts.at(2).stands_alone());
}

TEST_F(SplitWriteTest, EveryShardLearnsWhatTheAuthorityRevokes) {
  const Revoke revoke{.node = b_.node(), .ends = {}};
  SplitWrite split(write_of({.segments = {authority_.control({revoke}), b_.control({revoke})}}),
                   place(), 3);
  auto parts = split.take_parts();
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_TRUE(parts.at(0).revocations.empty());  // it has the log
  for (const std::size_t shard : {1u, 2u}) {
    ASSERT_EQ(parts.at(shard).revocations.size(), 1u);
    EXPECT_EQ(parts.at(shard).revocations[0].second, revoke);
  }
}

}  // namespace
}  // namespace dunlin::runtime
