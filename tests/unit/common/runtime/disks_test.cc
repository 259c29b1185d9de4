#include "common/runtime/disks.h"

#include <gtest/gtest.h>

#include "tests/support/eventually.h"
#include "tests/support/segment_maker.h"
#include "tests/support/temp_dir.h"

namespace dunlin::runtime {
namespace {

using replication::Input;
using replication::ListOldest;
using replication::OldestListed;
using replication::Read;
using replication::ReadFinished;
using replication::Retire;
using replication::StorageUsed;
using replication::Token;
using replication::Write;
using replication::WriteFinished;
using test::eventually;
using test::SegmentMaker;

constexpr std::size_t kShards = 3;

class DisksTest : public testing::Test {
 protected:
  void TearDown() override { disks_.reset(); }

  void start(DiskOptions options = {}) {
    options.node = self_.node();
    std::vector<storage::LogStore::Salvage> salvages;
    auto shards = storage::Shards::open({.path = path_, .fresh_epoch = Epoch{5}}, options.node,
                                        kShards, *verifier_, salvages);
    ASSERT_TRUE(shards.ok()) << shards.error().message();
    makers_.clear();
    // One other node for each shard.
    while (makers_.size() < kShards) {
      SegmentMaker maker;
      if (shards->placement.of(maker.node()) == makers_.size()) makers_.push_back(std::move(maker));
    }
    disks_ = std::make_unique<Disks>(options, std::move(shards->stores),
                                     std::move(shards->placement), *verifier_, [this](Input input) {
                                       const std::lock_guard lock(mutex_);
                                       inputs_.push_back(std::move(input));
                                     });
  }
  template <typename T>
  std::vector<T> all() {
    const std::lock_guard lock(mutex_);
    std::vector<T> found;
    for (const Input& input : inputs_) {
      if (const T* item = std::get_if<T>(&input)) found.push_back(*item);
    }
    return found;
  }
  template <typename T>
  T wait_for(Token token) {
    std::optional<T> found;
    EXPECT_TRUE(eventually([&] {
      for (T& item : all<T>()) {
        if (item.token == token) found = std::move(item);
      }
      return found.has_value();
    }));
    return found ? *std::move(found) : T{token, Error{Errc::timeout, "no answer"}};
  }
  Result<std::vector<WriteOutcome>> write(Changes changes) {
    disks_->submit(Write{std::move(changes), ++last_token_});
    return wait_for<WriteFinished>(last_token_).outcomes;
  }
  std::uint64_t held(const LogId& log) {
    disks_->submit(Read{++last_token_, log, {1, 1000}, ~0ULL});
    const auto segments = wait_for<ReadFinished>(last_token_).segments;
    std::uint64_t entries = 0;
    for (const StoredSegment& segment : segments.value()) entries += segment.interval.size();
    return entries;
  }
  // Nobody else writes to a file while it lives: commits to it wait, and fail after five seconds.
  struct Locked {
    explicit Locked(const std::string& path)
        : db(storage::Connection::open(path, SQLITE_OPEN_READWRITE).value()) {
      EXPECT_TRUE(db.execute("BEGIN IMMEDIATE").ok());
    }
    ~Locked() { EXPECT_TRUE(db.execute("ROLLBACK").ok()); }
    storage::Connection db;
  };

  test::TempDir folder_;
  std::string path_ = folder_.file("log.db");
  SegmentMaker self_;
  std::vector<SegmentMaker> makers_;  // by shard
  std::unique_ptr<Verifier> verifier_ = security::make_mbedtls_verifier();
  std::mutex mutex_;
  std::vector<Input> inputs_;
  Token last_token_ = 0;
  std::unique_ptr<Disks> disks_;
};

TEST_F(DisksTest, AWriteOfSeveralShardsIsOneToWhoAsked) {
  start();
  Changes changes;
  for (int i = 0; i < 2; ++i) {
    for (SegmentMaker& maker : makers_) changes.segments.push_back(maker.samples());
  }
  changes.segments.push_back(changes.segments.front());
  const auto outcomes = write(changes);
  ASSERT_TRUE(outcomes.ok()) << outcomes.error().message();
  ASSERT_EQ(outcomes->size(), 7u);
  for (std::size_t i = 0; i < 7; ++i)
    EXPECT_EQ((*outcomes)[i].kind,
              i < 6 ? WriteOutcome::Kind::stored : WriteOutcome::Kind::duplicate);
  for (const SegmentMaker& maker : makers_) EXPECT_EQ(held(maker.log()), 2u);
  EXPECT_EQ(all<WriteFinished>().size(), 1u);
}

TEST_F(DisksTest, ReadsAndListsGoToTheirShard) {
  start();
  Changes changes;
  for (SegmentMaker& maker : makers_) changes.segments.push_back(maker.samples());
  ASSERT_TRUE(write(changes).ok());
  for (const SegmentMaker& maker : makers_) {
    disks_->submit(ListOldest{++last_token_, maker.log(), 1});
    const auto listed = wait_for<OldestListed>(last_token_).segments;
    ASSERT_TRUE(listed.ok() && listed->size() == 1);
    EXPECT_EQ(listed->front().release.log, maker.log());
  }
  EXPECT_EQ(held(self_.log()), 0u);
}

// Another shard's commit does not wait for it; of the whole nothing counts as stored, and what is
// comes again as a duplicate.
TEST_F(DisksTest, APartThatFailsFailsTheWhole) {
  start();
  const SegmentRecord first = makers_[0].samples(), second = makers_[1].samples();
  {
    const Locked locked(storage::shard_file(path_, 1));
    const auto outcomes = write({.segments = {first, second}});
    ASSERT_FALSE(outcomes.ok());
    EXPECT_EQ(outcomes.error().code, Errc::backpressure);
    EXPECT_EQ(held(makers_[0].log()), 1u);
    ASSERT_TRUE(write({.segments = {makers_[2].samples()}}).ok());
  }
  const auto again = write({.segments = {first, second}});
  ASSERT_TRUE(again.ok()) << again.error().message();
  EXPECT_EQ((*again)[0].kind, WriteOutcome::Kind::duplicate);
  EXPECT_EQ((*again)[1].kind, WriteOutcome::Kind::stored);
}

TEST_F(DisksTest, OneShardTellsOfTheSpaceOfAll) {
  start({.look_bytes = 1});
  Changes changes;
  for (SegmentMaker& maker : makers_) changes.segments.push_back(maker.samples(10, 1000));
  ASSERT_TRUE(write(changes).ok());
  const auto sum = [&] { return disks_->state().database_bytes; };
  EXPECT_TRUE(eventually([&] { return all<StorageUsed>().back().bytes == sum(); }));
  EXPECT_GT(sum(), 3 * 10'000u);
  EXPECT_TRUE(disks_->state().writable);
}

// The bound is on all of them: each gives by what it has.
TEST_F(DisksTest, RetentionByBytesCountsAllShards) {
  start({.retain_track_bytes = {{kSamplesTrack, 60'000}}, .look_bytes = 1});
  // 40 KB, 40 KB and 4 KB: none is above the bound, all are.
  for (int i = 0; i < 10; ++i) {
    Changes changes;
    changes.segments = {makers_[0].samples(4, 1000), makers_[1].samples(4, 1000)};
    if (i == 0) changes.segments.push_back(makers_[2].samples(4, 1000));
    ASSERT_TRUE(write(changes).ok());
  }
  EXPECT_TRUE(eventually([&] { return !all<Retire>().empty(); }));
  std::map<NodeId, std::uint64_t> bytes;
  EXPECT_TRUE(eventually([&] {
    bytes.clear();
    for (const Retire& retire : all<Retire>()) {
      for (const OldSegment& old : retire.segments) bytes[old.release.log.node] += old.bytes;
    }
    return bytes[makers_[0].node()] > 0 && bytes[makers_[1].node()] > 0;
  }));
}

TEST_F(DisksTest, WithinTheBoundNothingGoes) {
  start({.retain_track_bytes = {{kSamplesTrack, 200'000}}, .look_bytes = 1});
  for (int i = 0; i < 10; ++i) {
    Changes changes;
    for (SegmentMaker& maker : makers_) changes.segments.push_back(maker.samples(4, 1000));
    ASSERT_TRUE(write(changes).ok());
  }
  EXPECT_TRUE(all<Retire>().empty());
}

}  // namespace
}  // namespace dunlin::runtime
