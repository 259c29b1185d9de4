#pragma once

#include "common/log/entry.h"
#include "common/log/log_id.h"
#include "common/storage/sqlite.h"

namespace dunlin::storage {

// How values of the core stand in columns.

// Unsigned numbers as the signed ones of the same bits.
inline std::int64_t stored(std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}
inline std::uint64_t loaded(std::int64_t value) {
  return static_cast<std::uint64_t>(value);
}
// From node, epoch and track, which follow one another.
Result<LogId> read_log_id(const Statement& statement, int column);

// What does not read back as written is damage, whatever the codec called it.
Error as_corrupt(const Error& error);
Result<std::vector<Entry>> entries_of(ByteView body);
Result<Revoke> revocation_of(ByteView operation);

}  // namespace dunlin::storage
