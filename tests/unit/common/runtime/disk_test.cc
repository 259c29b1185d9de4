#include "common/runtime/disk.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <limits>

#include "tests/support/eventually.h"
#include "tests/support/segment_maker.h"
#include "tests/support/temp_dir.h"

namespace dunlin::runtime {
namespace {

using replication::Input;
using replication::ListOldest;
using replication::OldestListed;
using replication::Output;
using replication::Read;
using replication::ReadFinished;
using replication::Retire;
using replication::StorageUsed;
using replication::Token;
using replication::Write;
using replication::WriteFinished;
using test::eventually;
using namespace std::chrono_literals;

constexpr std::uint64_t kNeverEnough = std::numeric_limits<std::uint64_t>::max();

// Gathers what the disk replies. While it is held, the disk thread stands still in a reply, so that
// requests wait together.
class Replies {
 public:
  void take(Input input) {
    std::unique_lock lock(mutex_);
    inputs_.push_back(std::move(input));
    standing_ = true;
    wake_.notify_all();
    wake_.wait(lock, [this] { return !held_; });
    standing_ = false;
  }
  void hold() {
    const std::lock_guard lock(mutex_);
    held_ = true;
  }
  void wait_until_standing() {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return standing_; });
  }
  void release() {
    const std::lock_guard lock(mutex_);
    held_ = false;
    wake_.notify_all();
  }

  // All of one kind so far, in their order.
  template <typename T>
  std::vector<T> of() const {
    const std::lock_guard lock(mutex_);
    std::vector<T> found;
    for (const Input& input : inputs_) {
      if (const T* item = std::get_if<T>(&input)) found.push_back(*item);
    }
    return found;
  }
  template <typename T>
  T wait_for(Token token) const {
    std::optional<T> found;
    EXPECT_TRUE(eventually([&] {
      for (T& item : of<T>()) {
        if (item.token == token) found = std::move(item);
      }
      return found.has_value();
    })) << "no answer to "
        << token;
    return found ? *std::move(found) : T{token, Error{Errc::timeout, "no answer"}};
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Input> inputs_;
  bool held_ = false;
  bool standing_ = false;
};

class DiskTest : public testing::Test {
 protected:
  void start(DiskOptions options = {}, bool held = false) {
    options.node = maker_.node();
    auto store =
        storage::LogStore::open({.path = path_, .fresh_epoch = Epoch{5}, .compaction = compaction_},
                                options.node, *verifier_, nullptr);
    ASSERT_TRUE(store.ok()) << store.error().message();
    if (held) replies_.hold();
    disk_ = std::make_unique<Disk>(options, *std::move(store), *verifier_, [this](Input input) {
      replies_.take(std::move(input));
      if (busy_) disk_->submit(Read{0, maker_.log(), {1, 1}, 1});
    });
    if (held) replies_.wait_until_standing();  // with its first look at the space
  }
  void TearDown() override {
    busy_ = false;
    replies_.release();
  }

  Token write(std::vector<SegmentRecord> segments, std::vector<Release> releases = {}) {
    disk_->submit(
        Write{{.segments = std::move(segments), .releases = std::move(releases)}, ++last_token_});
    return last_token_;
  }
  Result<std::vector<WriteOutcome>> finished(Token token) {
    return replies_.wait_for<WriteFinished>(token).outcomes;
  }
  // An entry that must be compared with a stored one and cannot be read.
  SegmentRecord unreadable(SegmentRecord record) const {
    record.bytes = std::make_shared<const Bytes>(Bytes{1, 2, 3});
    record.info.last += 1;  // it overlaps
    return record;
  }
  void tamper(const std::string& sql) {
    auto db = storage::Connection::open(path_, SQLITE_OPEN_READWRITE);
    ASSERT_TRUE(db.ok());
    const Result<void> done = db->execute(sql.c_str());
    ASSERT_TRUE(done.ok()) << done.error().message();
  }
  // Commits in the WAL: frames that say how large the database is after them (SQLite file format,
  // 4.1).
  std::size_t commits() const {
    std::ifstream file(path_ + "-wal", std::ios::binary);
    const std::string wal{std::istreambuf_iterator<char>(file), {}};
    std::size_t found = 0;
    for (std::size_t at = 32; at + 24 + 4096 <= wal.size(); at += 24 + 4096) {
      if (wal.substr(at + 4, 4) != std::string(4, '\0')) found += 1;
    }
    return found;
  }
  std::uint64_t stored_entries() {
    storage::LogStore store = storage::LogStore::open({.path = path_, .fresh_epoch = Epoch{5}},
                                                      maker_.node(), *verifier_, nullptr)
                                  .value();
    std::uint64_t entries = 0;
    const auto contents = store.load().value();
    for (const LogState& state : contents.logs) entries += state.held().count();
    return entries;
  }

  test::TempDir folder_;
  std::string path_ = folder_.file("log.db");
  test::SegmentMaker maker_;
  std::unique_ptr<Verifier> verifier_ = security::make_mbedtls_verifier();
  storage::CompactionPolicy compaction_;
  Replies replies_;
  std::atomic<bool> busy_ = false;  // every reply brings another request
  Token last_token_ = 0;
  std::unique_ptr<Disk> disk_;  // goes first
};

TEST_F(DiskTest, WritesThatWaitShareOneCommit) {
  start({}, true);
  const std::size_t before = commits();
  std::vector<Token> tokens{write({maker_.open()})};
  for (int i = 0; i < 20; ++i) tokens.push_back(write({maker_.samples(), maker_.samples(3)}));
  replies_.release();
  for (const Token token : tokens) {
    const auto outcomes = finished(token);
    ASSERT_TRUE(outcomes.ok()) << outcomes.error().message();
    EXPECT_EQ(outcomes->size(), token == tokens.front() ? 1u : 2u);  // each its own
  }
  EXPECT_EQ(commits(), before + 1);
  const auto answered = replies_.of<WriteFinished>();
  for (std::size_t i = 0; i < answered.size(); ++i) EXPECT_EQ(answered[i].token, tokens[i]);
  // One that comes alone has a commit of its own.
  ASSERT_TRUE(finished(write({maker_.samples()})).ok());
  EXPECT_EQ(commits(), before + 2);
}

// What a rollback takes back was written before it, and what comes after it stays.
TEST_F(DiskTest, AWriteThatBeginsAnEpochStandsAlone) {
  start({}, true);
  const SegmentRecord first = maker_.samples(2), second = maker_.samples(2);
  const std::size_t before = commits();
  write({first});
  write({second});
  const Rollback rollback{maker_.log(), 2, first.info.after};
  disk_->submit(Write{{.rollbacks = {rollback}, .epoch = Epoch{6}}, ++last_token_});
  write({second});
  const Token last = write({maker_.samples(1)});
  replies_.release();
  ASSERT_TRUE(finished(last).ok());
  EXPECT_EQ(commits(), before + 3);
  // The file that is opened after an error is still the same one.
  tamper("CREATE TRIGGER trouble BEFORE INSERT ON segments BEGIN SELECT RAISE(ABORT, 'no'); END");
  const Token failing = ++last_token_;
  disk_->submit(Write{{.segments = {maker_.samples(1)}, .epoch = Epoch{7}}, failing});
  EXPECT_FALSE(finished(failing).ok());
  tamper("DROP TRIGGER trouble");
  disk_->submit(Write{{.epoch = Epoch{7}}, ++last_token_});
  EXPECT_TRUE(finished(last_token_).ok());
  disk_.reset();
  EXPECT_EQ(stored_entries(), 5u);
}

TEST_F(DiskTest, OneFaultyWriteDoesNotHarmTheOthers) {
  start({}, true);
  const SegmentRecord first = maker_.samples(5);
  const Token good = write({maker_.open(), first});
  const Token faulty = write({unreadable(first)});
  const Token later = write({maker_.samples()});
  replies_.release();
  EXPECT_TRUE(finished(good).ok());
  EXPECT_FALSE(finished(faulty).ok());
  EXPECT_TRUE(finished(later).ok());
  EXPECT_TRUE(finished(write({maker_.samples()})).ok());
  EXPECT_TRUE(disk_->state().writable);
  disk_.reset();
  EXPECT_EQ(stored_entries(), 8u);
}

TEST_F(DiskTest, AnswersReadsAndListsInTheirOrder) {
  start({}, true);
  const SegmentRecord early = maker_.samples(4);
  const SegmentRecord late = maker_.samples(4);
  const Token unwritten = ++last_token_;
  disk_->submit(Read{unwritten, maker_.log(), {1, 8}, 1 << 20});
  write({early, late});
  const Token read = ++last_token_;
  disk_->submit(Read{read, maker_.log(), {1, 8}, 1 << 20});
  const Token list = ++last_token_;
  disk_->submit(ListOldest{list, maker_.log(), 1});
  replies_.release();
  EXPECT_TRUE(replies_.wait_for<ReadFinished>(unwritten).segments->empty());
  const auto found = replies_.wait_for<ReadFinished>(read).segments;
  ASSERT_TRUE(found.ok());
  ASSERT_EQ(found->size(), 2u);
  EXPECT_EQ((*found)[0].bytes, *late.bytes);
  EXPECT_EQ((*found)[1].bytes, *early.bytes);
  const auto oldest = replies_.wait_for<OldestListed>(list).segments;
  ASSERT_TRUE(oldest.ok());
  ASSERT_EQ(oldest->size(), 1u);
  EXPECT_EQ((*oldest)[0].release.interval, (Interval{1, 4}));
}

TEST_F(DiskTest, StoresNothingBelowItsFreeSpaceButLetsGo) {
  start();
  const SegmentRecord old = maker_.samples(4);
  ASSERT_TRUE(finished(write({old})).ok());
  disk_.reset();
  start({.refuse_below_free = kNeverEnough}, true);
  const Token refused = write({maker_.samples()});
  const Token freed =
      write({}, {Release{maker_.log(), old.info.interval(), old.info.before, old.info.after}});
  replies_.release();
  ASSERT_FALSE(finished(refused).ok());
  EXPECT_EQ(finished(refused).error().code, Errc::storage_full);
  EXPECT_TRUE(finished(freed).ok());
  EXPECT_FALSE(disk_->state().writable);  // whoever lets go has shown nothing
  disk_.reset();
  EXPECT_EQ(stored_entries(), 0u);
}

TEST_F(DiskTest, OpensTheFileAnewAfterAnIoError) {
  start();
  const SegmentRecord first = maker_.samples(2);
  ASSERT_TRUE(finished(write({first})).ok());
  const SegmentRecord next = maker_.samples(2);
  // What it knew of the file is not to be believed any more.
  tamper("DELETE FROM segments; DELETE FROM logs");
  tamper("CREATE TRIGGER trouble BEFORE INSERT ON segments BEGIN SELECT RAISE(ABORT, 'no'); END");
  const auto failed = finished(write({next}));
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().code, Errc::io);
  EXPECT_TRUE(eventually([&] { return !disk_->state().writable; }));
  tamper("DROP TRIGGER trouble");
  const auto outcomes = finished(write({next, first}));
  ASSERT_TRUE(outcomes.ok());
  for (const WriteOutcome& each : *outcomes) EXPECT_EQ(each.kind, WriteOutcome::Kind::stored);
  EXPECT_TRUE(disk_->state().writable);
  disk_.reset();
  EXPECT_EQ(stored_entries(), 4u);
}

TEST_F(DiskTest, AnswersWhileTheFileCannotBeOpened) {
  start();
  const SegmentRecord first = maker_.samples(2);
  ASSERT_TRUE(finished(write({first})).ok());
  tamper("ALTER TABLE segments RENAME TO elsewhere");
  EXPECT_FALSE(finished(write({maker_.samples()})).ok());
  const Token read = ++last_token_;
  disk_->submit(Read{read, maker_.log(), {1, 2}, 1 << 20});
  const Token list = ++last_token_;
  disk_->submit(ListOldest{list, maker_.log(), 1});
  EXPECT_FALSE(replies_.wait_for<ReadFinished>(read).segments.ok());
  EXPECT_FALSE(replies_.wait_for<OldestListed>(list).segments.ok());
  const SegmentRecord second = test::SegmentMaker(Epoch{6}).samples(3);
  EXPECT_FALSE(finished(write({second})).ok());
  tamper("ALTER TABLE elsewhere RENAME TO segments");
  EXPECT_TRUE(finished(write({second})).ok());
  const Token again = ++last_token_;
  disk_->submit(Read{again, maker_.log(), {1, 2}, 1 << 20});
  const auto found = replies_.wait_for<ReadFinished>(again).segments;
  ASSERT_TRUE(found.ok());
  ASSERT_EQ(found->size(), 1u);
  EXPECT_EQ((*found)[0].bytes, *first.bytes);
}

TEST_F(DiskTest, StopFinishesWhatWasSubmitted) {
  start({}, true);
  std::vector<Token> tokens;
  for (int i = 0; i < 5; ++i) tokens.push_back(write({maker_.samples()}));
  const Token read = ++last_token_;
  disk_->submit(Read{read, maker_.log(), {1, 5}, 1 << 20});
  std::thread stopping([this] { disk_->stop(); });
  replies_.release();
  stopping.join();
  EXPECT_EQ(replies_.of<WriteFinished>().size(), tokens.size());
  for (const WriteFinished& each : replies_.of<WriteFinished>()) EXPECT_TRUE(each.outcomes.ok());
  ASSERT_EQ(replies_.of<ReadFinished>().size(), 1u);
  EXPECT_EQ(replies_.of<ReadFinished>().front().segments->size(), 5u);
  disk_->stop();  // once more does no harm
  disk_.reset();
  EXPECT_EQ(stored_entries(), 5u);
}

TEST_F(DiskTest, TellsWhatIsUsedAndWhatIsOwn) {
  start({.look_bytes = 1});
  test::SegmentMaker other(Epoch{9});
  const SegmentRecord own = maker_.samples(4);
  ASSERT_TRUE(finished(write({own, other.samples(4, 1000)})).ok());
  EXPECT_TRUE(eventually([&] { return !replies_.of<StorageUsed>().back().own.empty(); }));
  const StorageUsed used = replies_.of<StorageUsed>().back();
  EXPECT_EQ(used.own, (std::map<LogId, std::uint64_t>{{own.info.log, own.bytes->size()}}));
  EXPECT_GT(used.bytes, own.bytes->size());
  EXPECT_GT(used.disk_free, 0u);
  EXPECT_EQ(disk_->state().database_bytes, used.bytes);
}

TEST_F(DiskTest, RetiresByAgeWhatIsOlder) {
  start({.retain_age = {{kSamplesTrack, std::chrono::hours(1)}}, .look_bytes = 1});
  test::SegmentMaker other(Epoch{9});
  const SegmentRecord old = other.samples(4);
  other.set_start(
      std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch() -
                                           std::chrono::minutes(30))
          .count());
  // Own readings stay until a gateway has them.
  ASSERT_TRUE(finished(write({maker_.samples(4), other.open(), old, other.samples(4)})).ok());
  EXPECT_TRUE(eventually([&] { return !replies_.of<Retire>().empty(); }));
  for (const Retire& retire : replies_.of<Retire>()) {
    ASSERT_EQ(retire.segments.size(), 1u);
    EXPECT_EQ(retire.segments[0].release.log, other.log());
    EXPECT_EQ(retire.segments[0].release.interval, old.info.interval());
    EXPECT_EQ(retire.segments[0].release.after, old.info.after);
  }
}

TEST_F(DiskTest, CompactsWhileNothingIsAskedOfIt) {
  start();
  std::vector<Token> tokens{write({maker_.open()})};
  for (int i = 0; i < 200; ++i) tokens.push_back(write({maker_.samples()}));
  for (const Token token : tokens) ASSERT_TRUE(finished(token).ok());
  EXPECT_TRUE(eventually([&] { return disk_->state().segments_merged > 20; }));
  const Token read = ++last_token_;
  disk_->submit(Read{read, maker_.log(), {1, 200}, kNeverEnough});
  std::uint64_t entries = 0;
  const auto segments = replies_.wait_for<ReadFinished>(read).segments;
  ASSERT_TRUE(segments.ok());
  for (const StoredSegment& segment : *segments) entries += segment.interval.size();
  EXPECT_EQ(entries, 200u);
  EXPECT_LT(segments->size(), 180u);
  disk_->stop();
  EXPECT_EQ(stored_entries(), 201u);
}

// With 64 logs due, and with one more.
TEST_F(DiskTest, ABusyDiskCompactsWhenManyLogsAreDue) {
  compaction_.fan_in = 2;
  start();
  std::uint64_t last_epoch = 100;
  const test::SegmentMaker other;
  const auto add = [&](std::uint64_t logs) {
    std::vector<SegmentRecord> segments;
    for (; logs > 0; --logs) {
      test::SegmentMaker maker(Epoch{++last_epoch}, other.shared_key());
      for (int i = 0; i < 2; ++i) segments.push_back(maker.samples());
    }
    return write(std::move(segments));
  };
  busy_ = true;
  ASSERT_TRUE(finished(add(64)).ok());
  EXPECT_TRUE(eventually([&] { return replies_.of<ReadFinished>().size() > 100; }));
  EXPECT_EQ(disk_->state().segments_merged, 0u);
  ASSERT_TRUE(finished(add(1)).ok());
  EXPECT_TRUE(eventually([&] { return disk_->state().segments_merged > 0; }));
}

TEST(CompactionRest, IsSharedByTheLogsThatAreDue) {
  EXPECT_EQ(compaction_rest(10ms, 0), 400ms);
  EXPECT_EQ(compaction_rest(10ms, 1), 400ms);
  EXPECT_EQ(compaction_rest(100ms, 1), 1s);
  EXPECT_EQ(compaction_rest(10ms, 40), 10ms);
  EXPECT_EQ(compaction_rest(100ms, 100), 10ms);
}

// 500 agents flush a reading a second each, in virtual time: a log is due after 64 of them.
TEST(CompactionRest, KeepsUpWithManyLogsOnASlowDisk) {
  for (const Duration step : {2ms, 20ms, 80ms}) {
    Duration now{};
    std::int64_t done = 0;
    const auto due = [&] { return static_cast<std::size_t>(now * 500 / 64s - done); };
    while (now < 1h) {
      now += 1ms;
      if (due() == 0) continue;
      now += step, done += 1;
      now += compaction_rest(step, due());
      ASSERT_LT(due(), 64u) << now.count() << " us";
    }
  }
}

TEST_F(DiskTest, RetiresByBytesWhatArrivedFirst) {
  start({.retain_bytes = 256 * 1024, .look_bytes = 1});
  test::SegmentMaker other(Epoch{9});
  ASSERT_TRUE(finished(write({other.samples(10, 3000)})).ok());
  EXPECT_TRUE(replies_.of<Retire>().empty());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(finished(write({maker_.samples(10, 3000)})).ok());
  EXPECT_TRUE(eventually([&] { return !replies_.of<Retire>().empty(); }));
  // Of the log that arrived later, too, when the disk looked late.
  const std::vector<OldSegment> first = replies_.of<Retire>().front().segments;
  EXPECT_TRUE(std::any_of(first.begin(), first.end(), [&](const OldSegment& old) {
    return old.release.log == other.log() && old.release.interval.first == 1;
  }));
}

TEST_F(DiskTest, RetiresByBytesOfATrack) {
  start({.retain_track_bytes = {{kSamplesTrack, 100'000}}, .look_bytes = 1});
  ASSERT_TRUE(finished(write({maker_.samples(10, 3000)})).ok());
  EXPECT_TRUE(replies_.of<Retire>().empty());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(finished(write({maker_.samples(10, 3000)})).ok());
  EXPECT_TRUE(eventually([&] { return !replies_.of<Retire>().empty(); }));
  EXPECT_EQ(replies_.of<Retire>().front().segments.front().release.log, maker_.log());
}

// What arrives late goes at once, and is not all that goes.
TEST_F(DiskTest, BytesAreBoundWhileABacklogArrives) {
  start({.retain_bytes = 512 * 1024, .look_bytes = 1});
  const auto release = [&](std::vector<Release> releases) {
    const Token token = ++last_token_;
    disk_->submit(Write{{.segments = {}, .releases = std::move(releases)}, token});
    return finished(token).ok();
  };
  test::SegmentMaker late(Epoch{9}), live(Epoch{10});
  std::vector<SegmentRecord> backlog;
  for (int i = 0; i < 200; ++i) backlog.push_back(late.samples(10));
  const SegmentInfo top = backlog.back().info;
  ASSERT_TRUE(finished(write({backlog.back()})).ok());
  ASSERT_TRUE(release({{top.log, top.interval(), top.before, top.after}}));
  std::size_t seen = 0;
  std::uint64_t most = 0;
  for (std::size_t i = backlog.size() - 1; i-- > 0;) {
    ASSERT_TRUE(finished(write({live.samples(10, 1000), backlog[i]})).ok());
    const auto retires = replies_.of<Retire>();
    for (; seen < retires.size(); ++seen) {
      std::vector<Release> releases;
      for (const OldSegment& old : retires[seen].segments) releases.push_back(old.release);
      ASSERT_TRUE(release(std::move(releases)));
    }
    most = std::max(most, disk_->state().database_bytes);
  }
  EXPECT_LT(most, 1024u * 1024);
  EXPECT_GT(most, 512u * 1024);
}

}  // namespace
}  // namespace dunlin::runtime
