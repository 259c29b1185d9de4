#pragma once

#include <sqlite3.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "dunlin/bytes.h"
#include "dunlin/result.h"

namespace dunlin::storage {

// SQLite with its codes as Errors: FULL is storage_full, CORRUPT and NOTADB are corrupt, BUSY and
// LOCKED are backpressure, the rest io. `what` says what we were doing.
Error sqlite_error(sqlite3* db, std::string_view what);

class Statement {
 public:
  Statement() = default;
  bool prepared() const { return stmt_ != nullptr; }

  Statement& bind(int index, std::int64_t value);
  Statement& bind(int index, std::string_view text);  // the text must outlive the run
  Statement& bind(int index, ByteView blob);          // the bytes must outlive the run

  // True when a row is there. After `false` or an error the statement is reset.
  Result<bool> step();
  // Runs a statement that returns no rows.
  Result<void> run();
  void reset();

  std::int64_t integer(int column) const { return sqlite3_column_int64(stmt_.get(), column); }
  std::string_view text(int column) const;
  ByteView blob(int column) const;  // valid until the next step or reset
  sqlite3_stmt* raw() const { return stmt_.get(); }

 private:
  friend class Connection;
  struct Finalize {
    void operator()(sqlite3_stmt* stmt) const { sqlite3_finalize(stmt); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> stmt_;
};

class Connection {
 public:
  // `flags` as for sqlite3_open_v2.
  static Result<Connection> open(const std::string& path, int flags);

  // Called within statements, each time that they have done some thousand operations.
  void on_progress(std::function<void()> callback);

  Result<void> execute(const char* sql);
  Result<Statement> prepare(std::string_view sql);
  // The first column of the first row.
  Result<std::int64_t> query_integer(std::string_view sql);
  Result<std::string> query_text(std::string_view sql);
  sqlite3* raw() const { return db_.get(); }

 private:
  struct Close {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  };
  std::unique_ptr<std::function<void()>> on_progress_;  // outlives what calls it
  std::unique_ptr<sqlite3, Close> db_;
};

// Rolls back unless commit() succeeded.
class Transaction {
 public:
  static Result<Transaction> begin(Connection& connection);
  ~Transaction();
  Transaction(Transaction&& other) noexcept
      : connection_(std::exchange(other.connection_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  Result<void> commit();

 private:
  explicit Transaction(Connection& connection) : connection_(&connection) {}
  Connection* connection_;
};

}  // namespace dunlin::storage
