#include "common/storage/query.h"

#include <atomic>
#include <filesystem>
#include <thread>

#include "tests/unit/common/storage/fleet_fixture.h"

namespace dunlin::storage::test {
namespace {

const StreamSchema kSchema{"s", {{"temperature", FieldType::decimal, "Cel", 2}}};

class QueryTest : public FleetTest {
 protected:
  Reader open() {
    Result<Reader> reader = Reader::open(path_);
    EXPECT_TRUE(reader.ok()) << reader.error().message();
    return *std::move(reader);
  }
};

Errc code_of(const Result<Table>& result) {
  EXPECT_FALSE(result.ok());
  return result.ok() ? Errc::closed : result.error().code;
}

TEST_F(QueryTest, ParametersOfEveryTypeComeBack) {
  Reader reader = open();
  const std::vector<Value> row{std::monostate{},       std::int64_t{-5}, 2.5,
                               std::string("a\0b", 3), Bytes{0, 1, 255}, Bytes{},
                               std::string()};
  const Result<Table> table = reader.query("SELECT ?, ?, ?, ? AS named, ?, ?, ?", row);
  ASSERT_TRUE(table.ok()) << table.error().message();
  ASSERT_EQ(table->rows.size(), 1U);
  EXPECT_EQ(table->rows[0], row);
  EXPECT_EQ(table->columns[3], "named");
  EXPECT_FALSE(table->truncated);
  EXPECT_EQ(code_of(reader.query("SELECT ?")), Errc::invalid_argument);
  EXPECT_EQ(code_of(reader.query("SELECT 1", row)), Errc::invalid_argument);
}

TEST_F(QueryTest, ExactlyOneStatement) {
  Reader reader = open();
  EXPECT_TRUE(reader.query("/* one */ SELECT 1; -- that was all\n ").ok());
  for (const char* sql : {"", " ; ", "-- nothing", "SELECT 1; SELECT 2", "SELECT 1; nonsense"}) {
    EXPECT_EQ(code_of(reader.query(sql)), Errc::invalid_argument) << sql;
  }
  EXPECT_EQ(code_of(reader.query(std::string("SELECT 1\0; SELECT 2", 19))), Errc::invalid_argument);
}

TEST_F(QueryTest, WrongSqlComesBackInSqlitesWords) {
  Reader reader = open();
  const Result<Table> result = reader.query("SELECT colour FROM samples");
  EXPECT_EQ(code_of(result), Errc::invalid_argument);
  EXPECT_EQ(result.error().context, "no such column: colour");
  EXPECT_EQ(code_of(reader.query("SELECT * FROM stream_none")), Errc::invalid_argument);
  EXPECT_EQ(code_of(reader.query("SELECT abs(-9223372036854775808)")), Errc::invalid_argument);
  EXPECT_EQ(code_of(reader.query("SELECT zeroblob(1000000000)")), Errc::invalid_argument);
}

TEST_F(QueryTest, NothingButReadingIsAllowed) {
  Origin origin(*store_, 2);
  origin.define(1, 1, kSchema);
  Reader reader = open();
  const std::string other = folder_.file("other.db");
  for (const std::string sql : {"INSERT INTO meta VALUES('a', 1)",
                                "UPDATE nodes SET name = ''",
                                "DELETE FROM segments",
                                "DELETE FROM samples",
                                "UPDATE sqlite_schema SET sql = ''",
                                "UPDATE temp.sqlite_schema SET sql = ''",
                                "DELETE FROM temp.sqlite_schema",
                                "DELETE FROM stream_s",
                                "DROP TABLE segments",
                                "DROP TABLE temp.stream_s",
                                "CREATE TABLE t(x)",
                                "CREATE TEMP TABLE t(x)",
                                "CREATE TEMP VIEW v AS SELECT 1",
                                "CREATE VIRTUAL TABLE temp.v USING dunlin_stream",
                                "CREATE VIRTUAL TABLE temp.v USING fts5(x)",
                                "ATTACH 'other.db' AS o",
                                "DETACH main",
                                "VACUUM",
                                "VACUUM INTO 'other.db'",
                                "ANALYZE",
                                "REINDEX",
                                "BEGIN",
                                "COMMIT",
                                "SAVEPOINT a",
                                "PRAGMA query_only = 0",
                                "PRAGMA query_only",
                                "PRAGMA writable_schema = 1",
                                "PRAGMA user_version = 9",
                                "PRAGMA journal_mode = DELETE",
                                "PRAGMA wal_checkpoint",
                                "PRAGMA trusted_schema = 1",
                                "PRAGMA database_list",
                                "PRAGMA integrity_check",
                                "SELECT * FROM pragma_database_list",
                                "SELECT * FROM pragma_journal_mode",
                                "SELECT load_extension('x')",
                                "SELECT fts3_tokenizer('simple')",
                                "WITH x AS (SELECT 1) INSERT INTO meta SELECT 'a', 1"}) {
    EXPECT_EQ(code_of(reader.query(sql)), Errc::invalid_argument) << sql;
  }
  EXPECT_EQ(code_of(reader.query("ATTACH ? AS o", std::vector<Value>{other})),
            Errc::invalid_argument);
  EXPECT_FALSE(std::filesystem::exists(other));
  EXPECT_FALSE(std::filesystem::exists("other.db"));
  for (const char* sql :
       {"PRAGMA user_version", "PRAGMA table_info(segments)", "SELECT name FROM sqlite_schema",
        "SELECT name FROM temp.sqlite_schema WHERE name = 'stream_s'", "SELECT * FROM nodes",
        "SELECT name FROM pragma_table_info('stream_s')",
        "EXPLAIN QUERY PLAN SELECT * FROM samples",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 5) SELECT sum(i) "
        "FROM n"}) {
    const Result<Table> allowed = reader.query(sql);
    ASSERT_TRUE(allowed.ok()) << sql << ": " << allowed.error().message();
    EXPECT_FALSE(allowed->rows.empty()) << sql;
  }
}

TEST_F(QueryTest, TimeIsLimited) {
  Reader reader = open();
  const QueryLimits limits{.time_max = std::chrono::milliseconds(30)};
  const std::string endless =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
  EXPECT_EQ(code_of(reader.query(endless, {}, limits)), Errc::timeout);
  EXPECT_TRUE(reader.query("SELECT 1", {}, limits).ok());
}

TEST_F(QueryTest, TimeIsLimitedInsideSegments) {
  Origin origin(*store_, 2);
  origin.define(1, 1, kSchema);
  for (int i = 0; i < 50; ++i) {
    origin.append({integers(1, {{kStart + i, {i}}})});
    origin.flush();
  }
  Reader reader = open();
  EXPECT_EQ(code_of(reader.query("SELECT count(*) FROM samples a, samples b, samples c, samples d",
                                 {}, {.time_max = std::chrono::milliseconds(20)})),
            Errc::timeout);
}

TEST_F(QueryTest, RowsAndBytesAreLimited) {
  Reader reader = open();
  const std::string numbers =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20) SELECT i";
  Result<Table> table = reader.query(numbers + " FROM n", {}, {.rows_max = 20});
  ASSERT_TRUE(table.ok());
  EXPECT_EQ(table->rows.size(), 20U);
  EXPECT_FALSE(table->truncated);
  table = reader.query(numbers + " FROM n", {}, {.rows_max = 19});
  ASSERT_TRUE(table.ok());
  EXPECT_EQ(table->rows.size(), 19U);
  EXPECT_TRUE(table->truncated);
  table = reader.query(numbers + ", zeroblob(1000) FROM n", {}, {.bytes_max = 10'000});
  ASSERT_TRUE(table.ok());
  EXPECT_EQ(table->rows.size(), 9U);
  EXPECT_TRUE(table->truncated);
}

TEST_F(QueryTest, MemoryIsLimited) {
  Reader reader = open();
  EXPECT_TRUE(reader.query("SELECT hex(zeroblob(65536))").ok());  // a segment
  EXPECT_EQ(code_of(reader.query("SELECT hex(zeroblob(200000))")), Errc::invalid_argument);
  EXPECT_EQ(code_of(reader.query("SELECT 1 --" + std::string(17'000, ' '))),
            Errc::invalid_argument);
  (void)sqlite3_memory_highwater(1);
  // Many values in one row.
  std::string wide = "SELECT 1";
  for (int i = 0; i < 1900; ++i) wide += ",hex(a)";
  EXPECT_EQ(code_of(reader.query(wide + " FROM (SELECT zeroblob(130000) AS a)")),
            Errc::invalid_argument);
  // Each name stands for twice the one before: 2^60 of them before the first row.
  std::string doubling = "WITH a0 AS (SELECT 1 AS x)";
  for (int i = 1; i <= 60; ++i) {
    const std::string below = " SELECT x FROM a" + std::to_string(i - 1);
    doubling += ", a" + std::to_string(i) + " AS (" + below + " UNION ALL" + below + ")";
  }
  EXPECT_EQ(code_of(reader.query(doubling + " SELECT 1 FROM a60")), Errc::invalid_argument);
  EXPECT_LE(sqlite3_memory_highwater(1), 256 << 20);
  EXPECT_TRUE(reader.query("SELECT 1").ok()) << "and goes on";
}

TEST_F(QueryTest, DamagedSegmentsAreAnError) {
  Origin origin(*store_, 2);
  origin.define(1, 1, kSchema);
  for (int i = 0; i < 3; ++i) {
    origin.append({integers(1, {{kStart + i, {i}}})});
    origin.flush();
  }
  Reader reader = open();
  const auto expect_corrupt = [&](const std::string& sql, const std::string& what) {
    tamper(sql);
    const Result<Table> result = reader.query("SELECT * FROM samples");
    EXPECT_EQ(code_of(result), Errc::corrupt) << sql;
    EXPECT_NE(result.error().context.find(what), std::string::npos) << result.error().context;
  };
  const std::string second = " WHERE first = 2 AND log = (SELECT max(id) FROM logs)";
  expect_corrupt("UPDATE segments SET body = x'00'" + second, "segment 2..2 of log");
  expect_corrupt("UPDATE segments SET body = x''" + second, "segment 2..2 of log");
  // What lies outside the damage can still be asked for.
  const Result<Table> rest =
      reader.query("SELECT count(*) FROM samples WHERE seq <> 2 AND seq > 2");
  ASSERT_TRUE(rest.ok()) << rest.error().message();
  EXPECT_EQ(rest->rows[0][0], Value(std::int64_t{1}));
  expect_corrupt(
      "UPDATE segments SET body = (SELECT body FROM segments WHERE first = 3 LIMIT 1)" + second,
      "another segment");
  tamper("UPDATE segments SET streams = x'8101ff'" + second);
  EXPECT_EQ(code_of(reader.query("SELECT * FROM stream_s WHERE seq = 2")), Errc::corrupt);
  tamper("INSERT INTO streams VALUES(zeroblob(16), 1, 1, 1, 'bad', x'00')");
  EXPECT_EQ(code_of(reader.query("SELECT 1")), Errc::corrupt);
  tamper("DELETE FROM streams WHERE name = 'bad'");
  EXPECT_TRUE(reader.query("SELECT 1 FROM stream_s WHERE seq = 3").ok());
}

TEST_F(QueryTest, EveryFlippedByteIsAnErrorOrAnAnswer) {
  Origin origin(*store_, 2);
  origin.define(1, 1, kSchema);
  for (int i = 0; i < 20; ++i) origin.append({integers(1, {{kStart + i, {i}}, {kStart, {i * i}}})});
  origin.flush();
  Reader reader = open();
  const std::string where = " WHERE log = (SELECT max(id) FROM logs)";
  const Result<Table> body = reader.query("SELECT body FROM segments" + where);
  ASSERT_TRUE(body.ok());
  const Bytes original = std::get<Bytes>(body->rows[0][0]);
  std::size_t refused = 0;
  for (std::size_t i = 0; i < original.size(); ++i) {
    Bytes damaged = original;
    damaged[i] ^= 0x41;
    tamper("UPDATE segments SET body = x'" + to_hex(damaged) + "'" + where);
    const Result<Table> result = reader.query("SELECT * FROM samples");
    if (result.ok()) continue;
    EXPECT_EQ(result.error().code, Errc::corrupt) << result.error().message();
    ++refused;
  }
  EXPECT_GT(refused, original.size() / 4);
}

TEST_F(QueryTest, ReadsWhileADaemonWritesAndAfterItStopped) {
  Origin origin(*store_, 2);
  origin.define(1, 1, kSchema);
  constexpr int kEntries = 200;
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (int i = 1; i <= kEntries; ++i) {
      if (i == kEntries / 2) origin.define(2, 1, {"t", kSchema.fields});
      origin.append({integers(1, {{kStart + i, {i}}, {kStart + i, {i}}})});
      origin.flush();
    }
    done = true;
  });
  Reader reader = open();
  std::int64_t seen = 0;
  bool consistent = true;
  while (!done) {
    const Result<Table> table =
        reader.query("SELECT count(*), coalesce(max(seq), 0) FROM stream_s WHERE seq > 0");
    if (!table.ok()) {
      ADD_FAILURE() << table.error().message();
      break;
    }
    const auto count = std::get<std::int64_t>(table->rows[0][0]);
    const auto last = std::get<std::int64_t>(table->rows[0][1]);
    consistent = consistent && count == 2 * last && last >= seen;
    seen = last;
  }
  writer.join();
  EXPECT_TRUE(consistent);
  EXPECT_TRUE(reader.query("SELECT * FROM stream_t").ok());

  store_.reset();
  Reader after = open();
  const Result<Table> table = after.query("SELECT count(*) FROM stream_s");
  ASSERT_TRUE(table.ok());
  EXPECT_EQ(table->rows[0][0], Value(std::int64_t{2 * kEntries}));
}

TEST_F(QueryTest, AManyStreamedFleetIsCataloguedAsItGrows) {
  Origin origin(*store_, 2);
  Reader reader = open();
  for (std::uint64_t i = 1; i <= 30; ++i) {
    origin.define(i, 1, {"s" + std::to_string(i), kSchema.fields});
    const Result<Table> table =
        reader.query("SELECT count(*) FROM temp.sqlite_schema WHERE name LIKE 'stream_%'");
    ASSERT_TRUE(table.ok()) << table.error().message();
    EXPECT_EQ(table->rows[0][0], Value(static_cast<std::int64_t>(i)));
  }
}

TEST_F(QueryTest, OtherFilesAreRefused) {
  const auto refused = [](const std::string& path) {
    const Result<Reader> reader = Reader::open(path);
    EXPECT_FALSE(reader.ok());
    return reader.ok() ? Errc::closed : reader.error().code;
  };
  EXPECT_EQ(refused(folder_.file("none.db")), Errc::not_found);
  EXPECT_FALSE(std::filesystem::exists(folder_.file("none.db")));
  EXPECT_EQ(refused(folder_.write("empty.db", "")), Errc::not_found);
  EXPECT_EQ(refused(folder_.write("text.db", std::string(8192, 'x'))), Errc::corrupt);
  const auto make = [&](const char* name, const char* sql) {
    Result<Connection> db =
        Connection::open(folder_.file(name), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    EXPECT_TRUE(db.ok() && db->execute(sql).ok());
    return folder_.file(name);
  };
  EXPECT_EQ(refused(make("other.db", "CREATE TABLE t(x); PRAGMA user_version = 1")),
            Errc::invalid_argument);
  store_.reset();
  tamper("PRAGMA user_version = 1000");
  EXPECT_EQ(refused(path_), Errc::unsupported);
}

}  // namespace
}  // namespace dunlin::storage::test
