#include "common/storage/shards.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "common/storage/format_table.h"
#include "common/storage/inspect.h"
#include "tests/support/segment_maker.h"
#include "tests/support/temp_dir.h"

namespace dunlin::storage {
namespace {

using dunlin::test::SegmentMaker;
using dunlin::test::TempDir;

class ShardsTest : public testing::Test {
 protected:
  Result<Shards> open(std::size_t spread, const std::string& name = "log.db") {
    salvages_.clear();
    return Shards::open(
        {.path = folder_.file(name), .fresh_epoch = Epoch{5}, .authority = authority_.node()},
        self_.node(), spread, *verifier_, salvages_);
  }
  // Stores a segment where it belongs.
  static void store(Shards& shards, const SegmentRecord& segment) {
    const auto outcomes =
        shards.stores[shards.placement.of(segment.info.log.node)].commit({.segments = {segment}});
    ASSERT_TRUE(outcomes.ok()) << outcomes.error().message();
    EXPECT_EQ(outcomes->front().kind, WriteOutcome::Kind::stored);
  }
  static void store(Shards& shards, SegmentMaker& maker) {
    store(shards, maker.open());
    store(shards, maker.define(1));
    for (int i = 0; i < 3; ++i) store(shards, maker.samples(2));
  }
  static std::set<std::size_t> files_of(const Shards& shards, const NodeId& node) {
    std::set<std::size_t> found;
    for (std::size_t shard = 0; shard < shards.stores.size(); ++shard) {
      if (!shards.stores[shard].logs_of(node).empty()) found.insert(shard);
    }
    return found;
  }
  static std::set<LogId> logs_in(const LogStore::Contents& contents) {
    std::set<LogId> logs;
    for (const LogState& log : contents.logs) logs.insert(log.id());
    return logs;
  }

  TempDir folder_;
  SegmentMaker self_, authority_;
  std::unique_ptr<Verifier> verifier_ = security::make_mbedtls_verifier();
  std::vector<LogStore::Salvage> salvages_;
};

TEST_F(ShardsTest, OneIsOneFileAsItEverWas) {
  Shards shards = open(1).value();
  store(shards, self_);
  SegmentMaker other;
  store(shards, other);
  EXPECT_EQ(shards.stores.size(), 1u);
  EXPECT_FALSE(std::filesystem::exists(folder_.file("log-1.db")));
  EXPECT_EQ(shards.stores.front().logs().size(), 4u);
}

TEST_F(ShardsTest, NodesStayWhereTheyAreUpAndDown) {
  std::vector<SegmentMaker> makers(24);
  std::map<NodeId, std::size_t> home;
  std::size_t begun = 0;
  {
    Shards shards = open(1).value();
    store(shards, self_);
  }
  for (const std::size_t spread : {1u, 2u, 4u, 1u, 3u, 2u}) {
    SCOPED_TRACE(spread);
    Shards shards = open(spread).value();
    // All that was stored before is there, and goes on in its file.
    std::set<LogId> logs{self_.log(), self_.log(kControlTrack)};
    for (std::size_t i = 0; i < begun; ++i) {
      const NodeId& node = makers[i].node();
      logs.insert({makers[i].log(), makers[i].log(kControlTrack)});
      EXPECT_EQ(shards.placement.of(node), home.at(node));
      store(shards, makers[i].define(2 + spread));
      store(shards, makers[i].samples());
      EXPECT_EQ(files_of(shards, node), std::set<std::size_t>{home.at(node)});
    }
    EXPECT_EQ(logs_in(shards.contents), logs);
    EXPECT_EQ(shards.contents.nodes.size(), begun + 1);
    // Who is new goes to the files that were asked for.
    for (const std::size_t end = begun + 4; begun < end; ++begun) {
      store(shards, makers[begun]);
      home[makers[begun].node()] = shards.placement.of(makers[begun].node());
      EXPECT_LT(home[makers[begun].node()], spread);
    }
  }
  EXPECT_EQ(further_shards(folder_.file("log.db")), (std::vector<std::size_t>{1, 2, 3}));
}

TEST_F(ShardsTest, IdsAreThoseOfTheirFile) {
  Shards shards = open(3).value();
  std::vector<SegmentMaker> makers(12);
  for (SegmentMaker& maker : makers) store(shards, maker);
  for (std::size_t shard = 0; shard < 3; ++shard) {
    auto db = Connection::open(shard_file(folder_.file("log.db"), shard), SQLITE_OPEN_READONLY);
    ASSERT_TRUE(db.ok());
    for (const char* sql : {"SELECT min(id) FROM logs", "SELECT max(id) FROM logs",
                            "SELECT min(id) FROM segments", "SELECT max(id) FROM segments"})
      EXPECT_EQ(shard_of_id(*db->query_integer(sql)), shard) << sql;
  }
}

TEST_F(ShardsTest, AFileInAnothersPlaceIsRefused) {
  {
    Shards shards = open(3).value();
    std::vector<SegmentMaker> makers(12);
    for (SegmentMaker& maker : makers) store(shards, maker);
  }
  std::filesystem::rename(folder_.file("log-2.db"), folder_.file("log-1.db"));
  const auto refused = open(3);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Errc::invalid_argument);
}

// What the authority takes back decides in every file which branch of a log wins.
TEST_F(ShardsTest, ARevocationThatOneFileMissedIsToldAtTheStart) {
  const SegmentMaker out;
  Revoke revoke{.node = out.node(), .ends = {}};
  {
    Shards shards = open(3).value();
    store(shards, authority_.open());
    // The power fails before the commits of the other files.
    store(shards, authority_.control({revoke}));
  }
  const Shards shards = open(3).value();
  ASSERT_EQ(shards.contents.revocations.size(), 1u);
  for (std::size_t shard = 0; shard < 3; ++shard) {
    auto db = Connection::open(shard_file(folder_.file("log.db"), shard), SQLITE_OPEN_READONLY);
    EXPECT_EQ(*db->query_integer("SELECT count(*) FROM revocations"), 1) << shard;
  }
}

TEST_F(ShardsTest, ADamagedFileIsSalvagedAloneAndKeepsItsNumber) {
  std::vector<SegmentMaker> makers(12);
  {
    Shards shards = open(2).value();
    for (SegmentMaker& maker : makers) store(shards, maker);
  }
  std::filesystem::resize_file(folder_.file("log-1.db"),
                               std::filesystem::file_size(folder_.file("log-1.db")) - 4096);
  Shards shards = open(2).value();
  ASSERT_EQ(salvages_.size(), 1u);
  EXPECT_TRUE(std::filesystem::path(salvages_[0].set_aside)
                  .filename()
                  .string()
                  .starts_with("log-1.db.damaged-"));
  for (SegmentMaker& maker : makers) {
    const std::size_t home = shards.placement.of(maker.node());
    EXPECT_EQ(home, std::hash<NodeId>{}(maker.node()) % 2);
  }
  EXPECT_EQ(further_shards(folder_.file("log.db")), std::vector<std::size_t>{1});
}

// ---- SQL ----

constexpr const char* kQueries[] = {
    "SELECT * FROM samples",
    "SELECT * FROM stream_stream1",
    "SELECT count(*), min(time), max(time), count(DISTINCT node) FROM samples",
    "SELECT node, count(*) FROM stream_stream1 GROUP BY node ORDER BY node",
    "SELECT * FROM samples WHERE seq BETWEEN 2 AND 4",
    "SELECT * FROM samples WHERE time > 1767225603000000 AND stream = 'stream1'",
    "SELECT * FROM samples WHERE node = (SELECT min(node) FROM samples)",
    ("SELECT a.node, a.seq, a.value FROM stream_stream1 a JOIN stream_stream1 b ON a.value = "
     "b.value"
     " AND a.node = b.node AND a.seq = b.seq"),
    "SELECT count(DISTINCT rowid) FROM samples",
    "SELECT * FROM samples WHERE seq = 1 OR time > 1767225604000000",
    "SELECT lower(hex(node)), track, segments, bytes FROM logs ORDER BY node, track",
    "SELECT count(*), sum(readings), sum(length(body)) FROM segments",
    "SELECT l.track, sum(s.readings) FROM segments s JOIN logs l ON l.id = s.log GROUP BY 1",
    "SELECT name, count(*) FROM nodes GROUP BY name",
    "SELECT id, version, name FROM streams ORDER BY node, id",
    "SELECT count(*) FROM anchored_spans",
};

std::string answer(const std::string& path, const std::string& sql) {
  auto reader = Reader::open(path);
  if (!reader.ok()) return reader.error().message();
  const auto table = reader->query(sql);
  return table.ok() ? format_csv(*table) : table.error().message();
}

TEST_F(ShardsTest, SqlOverManyIsSqlOverOne) {
  Shards one = open(1, "one.db").value(), many = open(4, "many.db").value();
  std::vector<SegmentMaker> makers(16);
  const auto both = [&](const SegmentRecord& segment) {
    store(one, segment);
    store(many, segment);
  };
  for (std::size_t i = 0; i < makers.size(); ++i) {
    both(makers[i].open("node " + std::to_string(i % 5)));
    both(makers[i].define(1));
    for (std::size_t n = 0; n <= i % 4; ++n) both(makers[i].samples(1 + n));
  }
  for (const char* sql : kQueries)
    EXPECT_EQ(answer(folder_.file("many.db"), sql), answer(folder_.file("one.db"), sql)) << sql;
  const auto logs = inspect(folder_.file("many.db"));
  ASSERT_TRUE(logs.ok()) << logs.error().message();
  EXPECT_EQ(format_csv(*logs), format_csv(*inspect(folder_.file("one.db"))));
}

TEST_F(ShardsTest, AnOpenReaderSeesWhatAnyFileGets) {
  Shards shards = open(3).value();
  store(shards, self_);
  Reader reader = Reader::open(folder_.file("log.db")).value();
  EXPECT_EQ(reader.schemas(), (std::vector<std::string>{"main", "shard1", "shard2"}));
  std::vector<SegmentMaker> makers(8);
  std::int64_t nodes = 1;
  for (SegmentMaker& maker : makers) {
    store(shards, maker);
    const auto table = reader.query("SELECT count(DISTINCT node) FROM stream_stream1");
    ASSERT_TRUE(table.ok()) << table.error().message();
    EXPECT_EQ(std::get<std::int64_t>(table->rows[0][0]), ++nodes);
  }
}

TEST_F(ShardsTest, ReadersOfManyMayDoNoMoreThanOfOne) {
  { const Shards shards = open(3).value(); }
  Reader reader = Reader::open(folder_.file("log.db")).value();
  for (const char* sql : {"INSERT INTO shard1.meta VALUES('a', 1)", "DELETE FROM shard1.segments",
                          "DROP VIEW temp.segments", "DETACH shard1", "ATTACH 'other.db' AS other",
                          "PRAGMA shard1.user_version = 9", "PRAGMA shard1.wal_checkpoint",
                          "UPDATE shard1.sqlite_schema SET sql = ''", "DELETE FROM segments"}) {
    const auto refused = reader.query(sql);
    ASSERT_FALSE(refused.ok()) << sql;
    EXPECT_EQ(refused.error().code, Errc::invalid_argument) << sql;
  }
  EXPECT_TRUE(reader.query("SELECT count(*) FROM shard2.segments").ok());
}

}  // namespace
}  // namespace dunlin::storage
