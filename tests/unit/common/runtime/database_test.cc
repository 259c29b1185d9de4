#include "dunlin/database.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "common/runtime/node.h"
#include "common/storage/query.h"
#include "tests/support/eventually.h"
#include "tests/support/temp_dir.h"

namespace dunlin {
namespace {

using namespace std::chrono_literals;

const StreamSchema kAir{
    "air", {{"temperature", FieldType::decimal, "Cel", 2}, {"note", FieldType::text, "", 0}}};

Rows air(std::int64_t first, std::size_t n) {
  Rows rows(2);
  for (std::size_t i = 0; i < n; ++i) {
    rows.begin_row(1'767'225'600'000'000 + (first + static_cast<std::int64_t>(i)) * 1'000'000);
    rows.add_integer(2000 + first + static_cast<std::int64_t>(i));
    i % 2 == 0 ? rows.add_text("even") : rows.add_missing();
  }
  return rows;
}

class DatabaseTest : public testing::Test {
 protected:
  Result<std::unique_ptr<Database>> open() {
    return Database::open({.name = "test", .data_dir = folder_.file("data"), .tracks = {track_}});
  }
  storage::Table query(const std::string& sql) {
    auto reader = storage::Reader::open(folder_.file("data") + "/log.db");
    EXPECT_TRUE(reader.ok()) << reader.error().message();
    auto table = reader->query(sql);
    EXPECT_TRUE(table.ok()) << table.error().message();
    return table.ok() ? *table : storage::Table{};
  }

  test::TempDir folder_;
  TrackOptions track_{.flush_interval = 1h};
};

TEST_F(DatabaseTest, FlushedReadingsAreReadBackBySql) {
  auto database = open();
  ASSERT_TRUE(database.ok()) << database.error().message();
  ASSERT_TRUE((*database)->append(kAir, air(0, 2500)).ok());
  ASSERT_TRUE((*database)->flush(10s).ok());
  const storage::Table table =
      query("SELECT count(*), min(temperature), max(temperature) FROM stream_air");
  EXPECT_EQ(table.rows[0][0], storage::Value{std::int64_t{2500}});
  EXPECT_EQ(table.rows[0][1], storage::Value{20.0});
  EXPECT_EQ(table.rows[0][2], storage::Value{44.99});
}

TEST_F(DatabaseTest, NothingIsLostOrDoubledOverRestarts) {
  std::string node;
  for (int round = 0; round < 4; ++round) {
    auto database = open();
    ASSERT_TRUE(database.ok()) << database.error().message();
    EXPECT_TRUE(round == 0 || (*database)->node_id() == node);
    node = (*database)->node_id();
    for (int i = 0; i < 5; ++i)
      ASSERT_TRUE((*database)->append(kAir, air(round * 500 + i * 100, 100)).ok());
    (*database)->close();  // flushes
  }
  const storage::Table table = query(
      "SELECT count(*), count(DISTINCT temperature), count(DISTINCT epoch), max(seq) FROM "
      "stream_air");
  EXPECT_EQ(table.rows[0][0], storage::Value{std::int64_t{2000}});
  EXPECT_EQ(table.rows[0][1], storage::Value{std::int64_t{2000}});
  EXPECT_EQ(table.rows[0][2], storage::Value{std::int64_t{1}});
  EXPECT_EQ(query("SELECT count(*) FROM streams").rows[0][0], storage::Value{std::int64_t{1}});
}

TEST_F(DatabaseTest, AFieldMoreIsANewVersionAndAnotherTypeIsRefused) {
  auto database = open();
  ASSERT_TRUE((*database)->append(kAir, air(0, 1)).ok());
  StreamSchema more = kAir;
  more.fields.push_back({"humidity", FieldType::int64, "%", 0});
  Rows rows(3);
  rows.begin_row(5), rows.add_integer(2100), rows.add_text("x"), rows.add_integer(60);
  ASSERT_TRUE((*database)->append(more, std::move(rows)).ok());
  ASSERT_TRUE((*database)->append(kAir, air(10, 1)).ok());  // the older form still fits

  StreamSchema changed = kAir;
  changed.fields[1].type = FieldType::int64;
  Rows wrong(2);
  wrong.begin_row(6), wrong.add_integer(1), wrong.add_integer(2);
  const Result<void> refused = (*database)->append(changed, std::move(wrong));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Errc::type_changed);

  // Fewer decimals than declared are scaled, more make a new version: no value is rounded.
  const StreamSchema coarse{"air", {{"temperature", FieldType::decimal, "Cel", 1}}};
  Rows tenth(1);
  tenth.begin_row(7), tenth.add_integer(215);
  ASSERT_TRUE((*database)->append(coarse, std::move(tenth)).ok());
  const StreamSchema fine{"air", {{"temperature", FieldType::decimal, "Cel", 4}}};
  Rows exact(1);
  exact.begin_row(8), exact.add_integer(215'001);
  ASSERT_TRUE((*database)->append(fine, std::move(exact)).ok());

  ASSERT_TRUE((*database)->flush(10s).ok());
  const storage::Table table =
      query("SELECT temperature, humidity FROM stream_air ORDER BY seq, row");
  ASSERT_EQ(table.rows.size(), 5U);
  std::vector<double> temperatures;
  for (const auto& row : table.rows) temperatures.push_back(std::get<double>(row[0]));
  std::sort(temperatures.begin(), temperatures.end());
  EXPECT_EQ(temperatures, (std::vector<double>{20.0, 20.1, 21.0, 21.5, 21.5001}));
  EXPECT_EQ(query("SELECT count(*) FROM streams WHERE name = 'air'").rows[0][0],
            storage::Value{std::int64_t{3}});
}

TEST_F(DatabaseTest, WhatCannotBeAppendedIsSaidAndNothingIsTaken) {
  auto database = open();
  Rows narrow(1);
  narrow.begin_row(1), narrow.add_integer(1);
  EXPECT_EQ((*database)->append(kAir, std::move(narrow)).error().code, Errc::invalid_argument);
  Rows garbled(2);
  garbled.begin_row(1), garbled.add_integer(1), garbled.add_text("\xff\xfe");
  EXPECT_EQ((*database)->append(kAir, std::move(garbled)).error().code, Errc::invalid_argument);
  Rows huge(2);
  huge.begin_row(1), huge.add_integer(1), huge.add_text(std::string(60'000, 'x'));
  EXPECT_EQ((*database)->append(kAir, std::move(huge)).error().code, Errc::too_large);
  ASSERT_TRUE((*database)->flush(10s).ok());
  EXPECT_EQ(query("SELECT ifnull(sum(readings), 0) FROM segments").rows[0][0],
            storage::Value{std::int64_t{0}});
}

// This machine's clock is good, so the log says soon when the boot was.
TEST_F(DatabaseTest, ReadingsSinceBootGetTheirUtcAndKeepTheirOrder) {
  auto database = open();
  ASSERT_TRUE((*database)->append_since_boot(kAir, air(0, 3)).ok());
  ASSERT_TRUE((*database)->append(kAir, air(10, 1)).ok());
  ASSERT_TRUE((*database)->flush(10s).ok());
  EXPECT_TRUE(test::eventually([&] {
    const storage::Table table = query(
        "SELECT time > 1700000000000000, temperature FROM stream_air"
        " ORDER BY seq, temperature LIMIT 3");
    return table.rows.size() == 3 && table.rows[0][0] == storage::Value{std::int64_t{1}} &&
           table.rows[2][0] == storage::Value{std::int64_t{1}};
  }));
}

TEST_F(DatabaseTest, ADeletedDatabaseKeepsTheNodeAndOpensANewEpoch) {
  auto database = open();
  const std::string node = (*database)->node_id();
  const Epoch epoch = (*database)->node().report().epoch;
  database->reset();
  for (const char* suffix : {"", "-wal", "-shm"})
    std::filesystem::remove(folder_.file("data") + "/log.db" + suffix);
  database = open();
  EXPECT_EQ((*database)->node_id(), node);
  EXPECT_NE((*database)->node().report().epoch, epoch);
}

TEST_F(DatabaseTest, TheDiskBoundDropsTheOldestAndSaysSo) {
  DatabaseOptions options{
      .name = "test", .data_dir = folder_.file("data"), .bytes_max = 1024 * 1024};
  options.tracks[0].flush_readings = 100;
  auto database = Database::open(options);
  ASSERT_TRUE(database.ok()) << database.error().message();
  const StreamSchema noise{"noise", {{"value", FieldType::float64, "", 0}}};
  std::uint64_t state = 1;
  for (int batch = 0; batch < 600; ++batch) {
    Rows rows(1);
    for (int i = 0; i < 500; ++i) {
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      rows.begin_row(batch * 1000 + i), rows.add_real(static_cast<double>(state));
    }
    ASSERT_TRUE((*database)->append(noise, std::move(rows)).ok());
  }
  ASSERT_TRUE((*database)->flush(10s).ok());
  (*database)->close();
  EXPECT_LT(std::filesystem::file_size((*database)->path()), 1024 * 1024U);
  const auto kept = std::get<std::int64_t>(query("SELECT sum(readings) FROM segments").rows[0][0]);
  EXPECT_GT(kept, 20'000);
  EXPECT_LT(kept, 300'000);
}

}  // namespace
}  // namespace dunlin
