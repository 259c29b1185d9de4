// The simulated disk under SQLite: it loses what it should, and nothing else.
#include "tests/simulation/disk/sim_disk.h"

#include <gtest/gtest.h>

#include "common/storage/sqlite.h"
#include "tests/simulation/seeds.h"

namespace dunlin::simulation {
namespace {

using storage::Connection;

constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
constexpr const char* kFull =
    "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 20; CREATE TABLE IF NOT EXISTS t(n "
    "INTEGER PRIMARY KEY, filler BLOB)";
constexpr const char* kOff =
    "PRAGMA synchronous = OFF; PRAGMA wal_autocheckpoint = 20; CREATE TABLE IF NOT EXISTS t(n "
    "INTEGER PRIMARY KEY, filler BLOB)";

// A program that counts in a table, one transaction for each number.
class Counter {
 public:
  Counter(SimDisk& disk, const char* settings) : disk_(disk), settings_(settings) {}

  Result<void> open() {
    DUNLIN_ASSIGN(Connection db, Connection::open(disk_.path("count.db"), kFlags));
    DUNLIN_TRY(db.query_text("PRAGMA journal_mode = WAL"));
    DUNLIN_TRY(db.execute(settings_));
    db_ = std::move(db);
    return {};
  }
  Result<void> count(std::int64_t number) {
    const std::string sql = "INSERT INTO t VALUES(" + std::to_string(number) + ", zeroblob(" +
                            std::to_string(number * 37 % 9000) + "))";
    return db_->execute(sql.c_str());
  }
  // The last number there; nothing when the file is damaged or numbers before it are missing.
  std::optional<std::int64_t> last() {
    const auto verdict = db_->query_text("PRAGMA integrity_check");
    if (!verdict.ok() || *verdict != "ok") return std::nullopt;
    const auto count = db_->query_integer("SELECT count(*) FROM t");
    const auto max = db_->query_integer("SELECT ifnull(max(n), 0) FROM t");
    if (!count.ok() || !max.ok() || *count != *max) return std::nullopt;
    return *max;
  }
  void close() { db_.reset(); }
  bool is_open() const { return db_.has_value(); }

 private:
  SimDisk& disk_;
  const char* settings_;
  std::optional<Connection> db_;
};

// Counts through `failures` power failures at any operation. How often something that had been
// committed was gone afterwards, or the file was damaged.
int count_losses(std::uint64_t seed, int failures, const char* settings) {
  SimDisk disk(seed);
  Random random(seed);
  Counter counter(disk, settings);
  std::int64_t committed = 0;
  int losses = 0;
  for (int n = 0; n < failures; ++n) {
    disk.cut_power_before(random.below(150));
    std::int64_t tried = committed;
    if (counter.open().ok()) {
      while (counter.count(tried + 1).ok()) tried += 1;
      if (tried > committed) committed = tried;
    }
    disk.cut_power();
    counter.close();
    if (!counter.open().ok()) return losses + 1;
    const auto last = counter.last();
    if (!last) return losses + 1;
    losses += *last < committed;
    EXPECT_LE(*last, tried + 1);
    committed = *last;
    if (random.below(2) == 0) counter.close();  // else the next failure finds it open
    disk.kill();
    counter.close();
  }
  return losses;
}

TEST(SimDisk, CommittedTransactionsSurvivePowerFailures) {
  for_seeds(20, [](std::uint64_t seed) { EXPECT_EQ(count_losses(seed, 60, kFull), 0); });
}

// The same without syncing: the disk has teeth.
TEST(SimDisk, UnsyncedTransactionsDoNot) {
  int losses = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) losses += count_losses(seed, 10, kOff);
  EXPECT_GT(losses, 5);
}

TEST(SimDisk, KilledProcessesLoseNothing) {
  SimDisk disk(1);
  std::int64_t number = 0;
  for (int n = 0; n < 20; ++n) {
    Counter counter(disk, kOff);
    ASSERT_TRUE(counter.open().ok());
    EXPECT_EQ(counter.last(), number);
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(counter.count(++number).ok());
    disk.kill();
    EXPECT_FALSE(counter.count(number + 1).ok());  // its handles are void
  }
}

TEST(SimDisk, FullDiskRefusesAndKeepsWhatIsThere) {
  SimDisk disk(1);
  Counter counter(disk, kFull);
  ASSERT_TRUE(counter.open().ok());
  disk.set_faults({.bytes_max = 200'000});
  std::int64_t number = 0;
  Result<void> done;
  while (done.ok()) done = counter.count(++number);
  EXPECT_EQ(done.error().code, Errc::storage_full);
  EXPECT_LE(disk.bytes(), 200'000u);
  EXPECT_EQ(counter.last(), number - 1);
  disk.set_faults({});
  EXPECT_TRUE(counter.count(number).ok());
}

// What a failed sync left in doubt is read back, and syncing again does not help; writing does.
TEST(SimDisk, FailedSyncsLeaveDoubt) {
  int kept = 0, gone = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SimDisk disk(seed);
    const std::string path = disk.path("file");
    const auto file = disk.create(path);
    const Bytes bytes(100, 7);
    ASSERT_EQ(disk.write(*file, 0, bytes), SimDisk::Written::done);
    disk.set_faults({.sync_fails = 1});
    EXPECT_FALSE(disk.sync(*file));
    disk.set_faults({});
    EXPECT_TRUE(disk.sync(*file));  // has nothing to sync, in its opinion
    EXPECT_EQ(file->content, bytes);
    (file->medium == bytes ? kept : gone) += 1;
    disk.cut_power();
    EXPECT_EQ(disk.find(path)->content, bytes);  // spared
    const auto again = disk.find(path);
    ASSERT_EQ(disk.write(*again, 0, bytes), SimDisk::Written::done);
    EXPECT_TRUE(disk.sync(*again));
    disk.cut_power();
    EXPECT_EQ(disk.find(path)->content, bytes);
  }
  EXPECT_GT(kept, 5);
  EXPECT_GT(gone, 5);
}

TEST(SimDisk, TornInsideAWrite) {
  bool torn = false;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SimDisk disk(seed);
    const auto file = disk.create(disk.path("file"));
    ASSERT_TRUE(disk.sync(*file));
    ASSERT_EQ(disk.write(*file, 100, Bytes(4096, 7)), SimDisk::Written::done);
    disk.cut_power();
    const Bytes& left = disk.find(disk.path("file"))->content;
    const auto sevens = std::count(left.begin(), left.end(), 7);
    torn = torn || (sevens > 0 && sevens < 4096);
    EXPECT_TRUE(sevens == 4096 || sevens % 512 == 0 || (sevens - 412) % 512 == 0 ||
                (sevens - 100) % 512 == 0)
        << sevens;
  }
  EXPECT_TRUE(torn);
}

TEST(SimDisk, SameSeedSameFate) {
  const auto run = [](std::uint64_t seed) {
    SimDisk disk(seed);
    Counter counter(disk, kFull);
    disk.set_faults({.write_fails = 0.01, .sync_fails = 0.05});
    for (std::int64_t n = 1; n < 100; ++n) {
      if (!counter.is_open() && !counter.open().ok()) continue;
      if (!counter.count(n).ok()) counter.close();
    }
    disk.cut_power();
    counter.close();
    return std::pair(disk.counters(), disk.image());
  };
  EXPECT_EQ(run(3), run(3));
  EXPECT_NE(run(3), run(4));
}

}  // namespace
}  // namespace dunlin::simulation
