#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "dunlin/bytes.h"
#include "dunlin/result.h"

namespace dunlin::storage {

// A value of SQL: NULL, INTEGER, REAL, TEXT (UTF-8 if whoever wrote it kept to it) or BLOB.
using Value = std::variant<std::monostate, std::int64_t, double, std::string, Bytes>;

struct Table {
  std::vector<std::string> columns;
  std::vector<std::vector<Value>> rows;
  bool truncated = false;  // there were more rows than the limits let through
};

struct QueryLimits {
  std::size_t rows_max = 10'000;
  std::size_t bytes_max = 8 * 1024 * 1024;  // of the values, as they lie in memory
  std::chrono::milliseconds time_max{5'000};
};

// Reads a log database by SQL, and can do nothing else: the file is opened read-only, and an
// authorizer refuses everything but SELECT and PRAGMAs that describe the schema. There are the
// virtual tables of samples_table.h, a `stream_<name>` for every stream, and the plain tables. Of a
// database of several files all are open, and read as one.
//
// The daemon may run or not, and writes while we read: a query sees one state of the database.
// SQLite's WAL wants its -wal and -shm files for that, so the reader needs to be the daemon's user,
// or root, unless the daemon runs and its files may be read. Where the file system is mounted
// read-only and no WAL is left, the database is read without them, as immutable: no daemon may
// start on the same disk meanwhile (behind a read-only bind mount it could). Never otherwise:
// whoever ignores the WAL of a running daemon reads torn states.
//
// One thread at a time. When the daemon sets a damaged file aside (LogStore::open) an open Reader
// still reads the old one.
class Reader {
 public:
  // `not_found` when there is no such file or nothing in it yet, `unsupported` when another version
  // of the schema is in it, `invalid_argument` for a database of another program. From then on all
  // of SQLite in this process has 256 MiB of memory.
  static Result<Reader> open(const std::string& path);
  Reader(Reader&&) noexcept;
  Reader& operator=(Reader&&) noexcept;
  ~Reader();

  // Runs exactly one statement; parameters are bound by position and all must be given.
  // `invalid_argument`: SQL that is wrong, not allowed or too large, in SQLite's words. `timeout`:
  // time_max passed. `corrupt`: the database, or a segment that the query needs, does not read
  // back.
  Result<Table> query(const std::string& sql, std::span<const Value> parameters = {},
                      const QueryLimits& limits = {});

  // Of SQL, one for each file of the database: `main`, and `shard1` and so on. Tables without a
  // schema are those of all.
  const std::vector<std::string>& schemas() const;

  // By all queries so far: how well a query was pruned.
  std::uint64_t segments_decoded() const;

 private:
  struct Impl;
  explicit Reader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dunlin::storage
