#include "common/storage/sqlite.h"

namespace dunlin::storage {

Error sqlite_error(sqlite3* db, std::string_view what) {
  const int code = db == nullptr ? SQLITE_NOMEM : sqlite3_extended_errcode(db);
  Errc errc = Errc::io;
  switch (code & 0xff) {
    case SQLITE_FULL:
      errc = Errc::storage_full;
      break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      errc = Errc::corrupt;
      break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      errc = Errc::backpressure;
      break;
    case SQLITE_ERROR:
    case SQLITE_RANGE:
    case SQLITE_MISMATCH:
    case SQLITE_AUTH:
      errc = Errc::invalid_argument;
      break;
    case SQLITE_INTERRUPT:
      errc = Errc::timeout;
      break;
    default:
      break;
  }
  std::string context(what);
  context += ": ";
  context += db == nullptr ? "out of memory" : sqlite3_errmsg(db);
  if (errc == Errc::io) context += " (SQLite code " + std::to_string(code) + ")";
  return {errc, std::move(context)};
}

Statement& Statement::bind(int index, std::int64_t value) {
  sqlite3_bind_int64(stmt_.get(), index, value);
  return *this;
}
Statement& Statement::bind(int index, std::string_view text) {
  sqlite3_bind_text(stmt_.get(), index, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
  return *this;
}
Statement& Statement::bind(int index, ByteView blob) {
  // A null pointer would bind NULL instead of an empty blob.
  sqlite3_bind_blob(stmt_.get(), index,
                    blob.empty() ? reinterpret_cast<const std::uint8_t*>("") : blob.data(),
                    static_cast<int>(blob.size()), SQLITE_STATIC);
  return *this;
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(stmt_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    reset();
    return false;
  }
  Error error = sqlite_error(sqlite3_db_handle(stmt_.get()), sqlite3_sql(stmt_.get()));
  reset();
  return error;
}

Result<void> Statement::run() {
  DUNLIN_ASSIGN(const bool row, step());
  if (row) reset();
  return {};
}

void Statement::reset() {
  sqlite3_reset(stmt_.get());
}

std::string_view Statement::text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(stmt_.get(), column));
  return {data == nullptr ? "" : data,
          static_cast<std::size_t>(sqlite3_column_bytes(stmt_.get(), column))};
}

ByteView Statement::blob(int column) const {
  const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(stmt_.get(), column));
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(stmt_.get(), column))};
}

Result<Connection> Connection::open(const std::string& path, int flags) {
  Connection connection;
  sqlite3* db = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &db, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  connection.db_.reset(db);
  if (code != SQLITE_OK) return sqlite_error(db, "cannot open " + path);
  sqlite3_extended_result_codes(db, 1);
  sqlite3_busy_timeout(db, 5000);
  return connection;
}

void Connection::on_progress(std::function<void()> callback) {
  constexpr int kOperations = 1000;
  on_progress_ = std::make_unique<std::function<void()>>(std::move(callback));
  sqlite3_progress_handler(
      db_.get(), kOperations,
      [](void* called) {
        (*static_cast<std::function<void()>*>(called))();
        return 0;  // go on
      },
      on_progress_.get());
}

Result<void> Connection::execute(const char* sql) {
  if (sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
    return sqlite_error(db_.get(), sql);
  }
  return {};
}

Result<Statement> Connection::prepare(std::string_view sql) {
  Statement statement;
  sqlite3_stmt* stmt = nullptr;
  if (sqlite3_prepare_v3(db_.get(), sql.data(), static_cast<int>(sql.size()),
                         SQLITE_PREPARE_PERSISTENT, &stmt, nullptr) != SQLITE_OK) {
    return sqlite_error(db_.get(), sql);
  }
  statement.stmt_.reset(stmt);
  return statement;
}

Result<std::int64_t> Connection::query_integer(std::string_view sql) {
  DUNLIN_ASSIGN(Statement statement, prepare(sql));
  DUNLIN_ASSIGN(const bool row, statement.step());
  if (!row) return {Errc::not_found, "no row from " + std::string(sql)};
  const std::int64_t value = statement.integer(0);
  DUNLIN_TRY(statement.step());  // what a PRAGMA does may fail behind its row
  return value;
}

Result<std::string> Connection::query_text(std::string_view sql) {
  DUNLIN_ASSIGN(Statement statement, prepare(sql));
  DUNLIN_ASSIGN(const bool row, statement.step());
  if (!row) return {Errc::not_found, "no row from " + std::string(sql)};
  std::string value(statement.text(0));
  DUNLIN_TRY(statement.step());
  return value;
}

Result<Transaction> Transaction::begin(Connection& connection) {
  DUNLIN_TRY(connection.execute("BEGIN IMMEDIATE"));
  return Transaction(connection);
}

Transaction::~Transaction() {
  // A failed statement may have rolled back already; a second ROLLBACK then says so, harmlessly.
  if (connection_ != nullptr && !sqlite3_get_autocommit(connection_->raw())) {
    (void)connection_->execute("ROLLBACK");
  }
}

Result<void> Transaction::commit() {
  DUNLIN_TRY(connection_->execute("COMMIT"));
  connection_ = nullptr;
  return {};
}

}  // namespace dunlin::storage
