#include "tests/bench/pipe/reading_table.h"

#include <filesystem>

namespace dunlin::bench {
namespace {

// Ten rows in a statement take a quarter off the time of an insert; more gain nothing.
constexpr std::size_t kRowsPerInsert = 10;

std::string insert_sql(std::size_t rows) {
  std::string sql = "INSERT OR IGNORE INTO reading VALUES";
  for (std::size_t i = 0; i < rows; ++i) sql += i == 0 ? "(?,?,?,?,?,?)" : ",(?,?,?,?,?,?)";
  return sql;
}

Result<void> insert_with(storage::Statement& statement, std::int64_t first,
                         std::span<const Reading> readings) {
  sqlite3_stmt* raw = statement.raw();
  int parameter = 0;
  for (const Reading& reading : readings) {
    sqlite3_bind_int64(raw, ++parameter, first++);
    sqlite3_bind_int64(raw, ++parameter, reading.time_us);
    for (const double value : reading.values) sqlite3_bind_double(raw, ++parameter, value);
  }
  return statement.run();
}

}  // namespace

Result<ReadingTable> ReadingTable::open(const std::string& path) {
  ReadingTable table;
  table.path_ = path;
  DUNLIN_ASSIGN(table.db_,
                storage::Connection::open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE));
  DUNLIN_TRY(table.db_.query_text("PRAGMA journal_mode = WAL"));
  DUNLIN_TRY(table.db_.execute(R"(
      PRAGMA synchronous = FULL;
      CREATE TABLE IF NOT EXISTS reading(
        id INTEGER PRIMARY KEY, time_us INTEGER,
        temperature REAL, humidity REAL, light REAL, battery REAL);
      CREATE TABLE IF NOT EXISTS cursor(one INTEGER PRIMARY KEY CHECK(one = 1), id INTEGER);
      INSERT OR IGNORE INTO cursor VALUES(1, 0))"));
  DUNLIN_ASSIGN(table.begin_, table.db_.prepare("BEGIN IMMEDIATE"));
  DUNLIN_ASSIGN(table.insert_one_, table.db_.prepare(insert_sql(1)));
  DUNLIN_ASSIGN(table.insert_many_, table.db_.prepare(insert_sql(kRowsPerInsert)));
  DUNLIN_ASSIGN(table.move_cursor_, table.db_.prepare("UPDATE cursor SET id = ?1"));
  DUNLIN_ASSIGN(table.commit_, table.db_.prepare("COMMIT"));
  DUNLIN_ASSIGN(table.read_,
                table.db_.prepare("SELECT time_us, temperature, humidity, light, battery "
                                  "FROM reading WHERE id > ?1 ORDER BY id LIMIT ?2"));
  return table;
}

Result<void> ReadingTable::begin() {
  return begin_.run();
}

Result<void> ReadingTable::insert(std::int64_t first, std::span<const Reading> readings) {
  while (!readings.empty()) {
    const bool many = readings.size() >= kRowsPerInsert;
    const std::size_t rows = many ? kRowsPerInsert : 1;
    DUNLIN_TRY(insert_with(many ? insert_many_ : insert_one_, first, readings.first(rows)));
    first += static_cast<std::int64_t>(rows);
    readings = readings.subspan(rows);
  }
  return {};
}

Result<void> ReadingTable::move_cursor(std::int64_t id) {
  return move_cursor_.bind(1, id).run();
}

Result<void> ReadingTable::commit() {
  return commit_.run();
}

Result<void> ReadingTable::move_cursor_lazily(std::int64_t id) {
  DUNLIN_TRY(db_.execute("PRAGMA synchronous = NORMAL"));
  DUNLIN_TRY(move_cursor(id));
  return db_.execute("PRAGMA synchronous = FULL");
}

Result<void> ReadingTable::read(std::int64_t id, std::size_t n, std::vector<Reading>& out) {
  out.clear();
  read_.bind(1, id).bind(2, static_cast<std::int64_t>(n));
  while (true) {
    DUNLIN_ASSIGN(const bool row, read_.step());
    if (!row) return {};
    Reading& reading = out.emplace_back();
    reading.time_us = read_.integer(0);
    for (std::size_t i = 0; i < reading.values.size(); ++i) {
      reading.values[i] = sqlite3_column_double(read_.raw(), static_cast<int>(i) + 1);
    }
  }
}

Result<std::int64_t> ReadingTable::last_id() {
  return db_.query_integer("SELECT coalesce(max(id), 0) FROM reading");
}

Result<std::int64_t> ReadingTable::cursor() {
  return db_.query_integer("SELECT id FROM cursor");
}

Result<std::uint64_t> ReadingTable::checkpoint() {
  DUNLIN_TRY(db_.query_integer("PRAGMA wal_checkpoint(TRUNCATE)"));
  std::uint64_t bytes = 0;
  for (const char* suffix : {"", "-wal", "-shm"}) {
    std::error_code missing;
    const std::uintmax_t size = std::filesystem::file_size(path_ + suffix, missing);
    if (!missing) bytes += size;
  }
  return bytes;
}

}  // namespace dunlin::bench
