#include "common/storage/salvage.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "common/base/random.h"
#include "common/codec/log_state_codec.h"
#include "tests/unit/common/storage/fleet_fixture.h"

namespace dunlin::storage {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPage = 4096;
constexpr Seq kEntries = 2000;

// A store of a hundred segments whose file is then damaged behind its back.
class SalvageTest : public test::FleetTest {
 protected:
  SalvageTest() : origin_(*store_, 5) { append(kEntries); }

  void append(Seq entries) {
    Random random(7);
    for (Seq seq = 1; seq <= entries; ++seq) {
      Samples samples{.stream = 1,
                      .boot = {},
                      .base = kStart + static_cast<std::int64_t>(seq),
                      .rows = Rows(1)};
      samples.rows.begin_row(samples.base);
      std::string text;
      while (text.size() < 300) text.push_back(static_cast<char>('!' + random.below(90)));
      samples.rows.add_text(text);
      origin_.append({samples});
      if (seq % 20 == 0) origin_.flush();
    }
  }

  // As a clean stop leaves it: all in one file.
  void close() {
    store_.reset();
    EXPECT_FALSE(fs::exists(path_ + "-wal"));
  }
  // As a crash leaves it: part of it in the WAL.
  void crash() {
    for (const char* suffix : {"", "-wal"}) fs::copy_file(path_ + suffix, path_ + ".copy" + suffix);
    store_.reset();
    for (const char* suffix : {"", "-wal"}) fs::rename(path_ + ".copy" + suffix, path_ + suffix);
  }
  static std::string bytes_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void overwrite(std::size_t first_page, std::size_t pages, char with = '\0') const {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(first_page * kPage));
    file << std::string(pages * kPage, with);
  }
  std::size_t pages() const { return fs::file_size(path_) / kPage; }

  Result<LogStore> open(std::optional<LogStore::Salvage>* salvage) {
    return LogStore::open({.path = path_, .fresh_epoch = Epoch{99}}, own_key_->node(), *verifier_,
                          salvage);
  }
  // Opens a damaged file; how many of the entries are left.
  std::uint64_t salvaged() {
    std::optional<LogStore::Salvage> report;
    const std::string main = bytes_of(path_);
    const std::string wal = bytes_of(path_ + "-wal");
    auto store = open(&report);
    EXPECT_TRUE(store.ok()) << store.error().message();
    if (!store.ok() || !report) return ADD_FAILURE() << "nothing was set aside", 0;
    EXPECT_TRUE(report->set_aside.starts_with(path_ + ".damaged-")) << report->set_aside;
    EXPECT_TRUE(bytes_of(report->set_aside) == main);
    EXPECT_TRUE(bytes_of(report->set_aside + "-wal") == wal);
    for (const char* left : {".salvaging", ".salvaged", ".salvaging-source"}) {
      EXPECT_FALSE(fs::exists(path_ + left)) << left;
    }
    EXPECT_EQ(store->load()->epoch, Epoch{99});
    const std::uint64_t held = held_in(*store);
    EXPECT_GE(report->entries, held);
    return held;
  }
  std::uint64_t held_in(LogStore& store) const {
    const auto contents = store.load();
    for (const LogState& state : contents->logs) {
      if (state.id() == origin_.log()) return state.held().count();
    }
    return 0;
  }

  test::Origin origin_;
};

TEST_F(SalvageTest, PagesInTheMiddleHideNoOthers) {
  close();
  overwrite(pages() / 2, 2, '\x5a');
  const std::uint64_t held = salvaged();
  EXPECT_GE(held, 1900u);
  EXPECT_LT(held, kEntries);
  std::optional<LogStore::Salvage> again;
  auto store = open(&again);
  ASSERT_TRUE(store.ok());
  EXPECT_FALSE(again);
  EXPECT_EQ(held_in(*store), held);
}

// What came newest first was vouched for by its successor, and nobody looked at its signature: a
// broker may have spoilt it.
TEST_F(SalvageTest, ASuccessorVouchesForWhatDoesNotVerify) {
  const auto spoil = [&](Seq first, Seq last) {
    Connection db = Connection::open(path_, SQLITE_OPEN_READWRITE).value();
    Statement select = db.prepare(
                             "SELECT s.id, body FROM segments s JOIN logs l ON l.id = s.log"
                             " WHERE track = 1 AND first >= ?1 AND last <= ?2")
                           .value();
    Statement update = db.prepare("UPDATE segments SET body = ?2 WHERE id = ?1").value();
    select.bind(1, static_cast<std::int64_t>(first)).bind(2, static_cast<std::int64_t>(last));
    while (select.step().value()) {
      Bytes body(select.blob(1).begin(), select.blob(1).end());
      body.back() ^= 1;
      EXPECT_TRUE(update.bind(1, select.integer(0)).bind(2, ByteView(body)).run().ok());
    }
    EXPECT_TRUE(db.execute("UPDATE logs SET state = x'00'").ok());
  };
  close();
  spoil(1, 1980);
  EXPECT_EQ(salvaged(), kEntries);
  {
    Connection db = Connection::open(path_, SQLITE_OPEN_READWRITE).value();
    ASSERT_TRUE(db.execute("DELETE FROM segments WHERE first = 981").ok());
    ASSERT_TRUE(db.execute("UPDATE logs SET state = x'00'").ok());
  }
  EXPECT_EQ(salvaged(), 1000u);
  spoil(1981, 2000);
  EXPECT_EQ(salvaged(), 0u);
}

TEST_F(SalvageTest, WhatWasReleasedAndAckedIsKnown) {
  const auto old = store_->oldest(origin_.log(), 100'000);
  ASSERT_TRUE(old.ok());
  std::vector<Release> releases;
  for (const OldSegment& segment : *old) releases.push_back(segment.release);
  IntervalSet durable;
  durable.insert({1, 1200});
  ASSERT_TRUE(store_->commit({.releases = releases, .acks = {{origin_.log(), durable}}}).ok());
  const IntervalSet released = store_->state(origin_.log())->released();
  ASSERT_GE(released.count(), 100u);
  close();
  overwrite(pages() / 2, 2, '\x5a');
  EXPECT_GE(salvaged(), 1700u - released.count());
  std::optional<LogStore::Salvage> none;
  auto store = open(&none);
  ASSERT_TRUE(store.ok());
  EXPECT_EQ(store->state(origin_.log())->released(), released);
  EXPECT_EQ(store->state(origin_.log())->acked(), durable);
}

// A state that is not of these entries says nothing: a false release would hide a gap.
TEST_F(SalvageTest, AStateThatDisagreesIsNotBelieved) {
  LogState other(origin_.log());
  other.release({1, 700}, {}, {});
  SegmentInfo info;
  info.first = 701, info.last = kEntries, info.before = Hash{1}, info.after = Hash{2};
  other.admit(info);
  tamper("UPDATE logs SET state = x'" + to_hex(encode_log_state(other)) + "' WHERE track = 1");
  close();
  overwrite(pages() / 2, 2, '\x5a');
  EXPECT_GE(salvaged(), 1900u);
  std::optional<LogStore::Salvage> none;
  auto store = open(&none);
  ASSERT_TRUE(store.ok());
  EXPECT_TRUE(store->state(origin_.log())->released().empty());
}

TEST_F(SalvageTest, TheNewestPagesHideNoOthers) {
  close();
  overwrite(pages() - 20, 20, '\x5a');
  EXPECT_GE(salvaged(), 1700u);
}

TEST_F(SalvageTest, AFileThatEndsInTheMiddleGivesItsFirstHalf) {
  close();
  fs::resize_file(path_, pages() / 2 * kPage);
  EXPECT_GE(salvaged(), 860u);  // the definitions and indexes lie there, too
}

TEST_F(SalvageTest, ALostHeaderIsReplacedInACopy) {
  close();
  overwrite(0, 1);
  EXPECT_EQ(salvaged(), kEntries);
}

TEST_F(SalvageTest, AKeyIsFoundThoughItsLogIsNot) {
  ASSERT_TRUE(store_->used_bytes().ok());
  tamper("DELETE FROM segments WHERE log = (SELECT id FROM logs WHERE track = 0)");
  close();
  overwrite(pages() / 2, 2, '\x5a');
  EXPECT_GE(salvaged(), 1900u);
}

TEST_F(SalvageTest, TheWalOfACrashCountsAndStaysAsItIs) {
  tamper("PRAGMA wal_checkpoint(PASSIVE)");
  append(200);
  crash();
  ASSERT_GT(fs::file_size(path_ + "-wal"), 0u);
  overwrite(pages() / 2, 2, '\x5a');
  EXPECT_GE(salvaged(), kEntries + 100);
}

TEST_F(SalvageTest, NoiseAloneIsSetAsideToo) {
  close();
  overwrite(0, pages(), '\x5a');
  EXPECT_EQ(salvaged(), 0u);
}

// Cut off before the salvaged file was complete: what there is of it is of no use.
TEST_F(SalvageTest, StartsOverAfterACrashWhileSalvaging) {
  close();
  overwrite(pages() / 2, 2, '\x5a');
  std::ofstream(path_ + ".salvaging") << "half of a file";
  std::ofstream(path_ + ".salvaging-wal") << "and of its WAL";
  EXPECT_GE(salvaged(), 1900u);
}

// Cut off when the salvaged file was complete: at each step of the exchange.
TEST_F(SalvageTest, GoesOnAfterACrashWhileExchanging) {
  crash();
  const std::string good = path_ + ".good";
  fs::copy_file(path_, good);
  fs::copy_file(path_ + "-wal", good + "-wal");
  {
    auto db = Connection::open(good, SQLITE_OPEN_READWRITE);
    ASSERT_TRUE(db.ok() && db->query_integer("PRAGMA wal_checkpoint(TRUNCATE)").ok());
  }
  for (const char* left : {"both", "main", "nothing"}) {
    SCOPED_TRACE(left);
    for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(path_ + suffix);
    fs::copy_file(good, path_ + ".salvaged");
    if (*left != 'n') std::ofstream(path_) << "damaged";
    if (*left == 'b') std::ofstream(path_ + "-wal") << "damaged too";
    std::optional<LogStore::Salvage> report;
    auto store = open(&report);
    ASSERT_TRUE(store.ok()) << store.error().message();
    EXPECT_EQ(held_in(*store), kEntries);
    ASSERT_TRUE(report);
    EXPECT_EQ(bytes_of(report->set_aside), *left == 'n' ? "" : "damaged");
    EXPECT_EQ(bytes_of(report->set_aside + "-wal"), *left == 'b' ? "damaged too" : "");
    EXPECT_FALSE(fs::exists(path_ + ".salvaged"));
  }
}

}  // namespace
}  // namespace dunlin::storage
