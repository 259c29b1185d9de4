#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/storage/sqlite.h"

namespace dunlin::bench {

struct Reading {
  std::int64_t time_us = 0;
  std::array<double, 4> values{};  // temperature, humidity, light, battery
  std::int64_t clock_us = 0;       // when it was appended, CLOCK_MONOTONIC; 0 = not told
};

// A SQLite database with one row per reading under ascending ids from 1, and a cursor: both the
// outbox of the source and the table of the sink. WAL, synchronous = FULL. One thread per object;
// several objects may have the same file open.
class ReadingTable {
 public:
  static Result<ReadingTable> open(const std::string& path);

  // One transaction around inserts and a cursor's move; commit() returns when it is on disk.
  Result<void> begin();
  // Under the ids from `first` on; a reading whose id exists is left out.
  Result<void> insert(std::int64_t first, std::span<const Reading> readings);
  Result<void> move_cursor(std::int64_t id);
  Result<void> commit();
  // Moves the cursor alone and without an fsync: an older cursor only means sending again.
  Result<void> move_cursor_lazily(std::int64_t id);

  // The readings after `id`, at most `n`, in their order; clears `out` first.
  Result<void> read(std::int64_t id, std::size_t n, std::vector<Reading>& out);
  Result<std::int64_t> last_id();
  Result<std::int64_t> cursor();
  std::int64_t rows_changed() const { return sqlite3_total_changes64(db_.raw()); }

  // Moves the write-ahead log into the database; the size of all its files then. Nobody else may
  // have it open.
  Result<std::uint64_t> checkpoint();

 private:
  std::string path_;
  storage::Connection db_;
  storage::Statement begin_, insert_one_, insert_many_, move_cursor_, commit_, read_;
};

}  // namespace dunlin::bench
