#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace dunlin::storage {

// A gateway's database may be several files, the shards: the first, `log.db`, and beside it
// `log-1.db`, `log-2.db` and so on with logs of others. Ids of their rows say which one they stand
// in, so that they mean the same when all files are read as one.

inline constexpr std::size_t kShardsMax = 8;  // SQLite attaches ten files to one connection

// `database` is the first.
std::string shard_file(const std::string& database, std::size_t shard);
// The numbers of those beside the first that are there, ascending, be it only as what was salvaged
// of one (LogStore::open).
std::vector<std::size_t> further_shards(const std::string& database);

// The schema that a shard is when all are attached to the first: `main`, `shard1`, `shard2`...
std::string schema_of(std::size_t shard);

// Ids of a shard are greater than this.
inline std::int64_t ids_begin(std::size_t shard) {
  return static_cast<std::int64_t>(shard) << 36;
}
inline std::size_t shard_of_id(std::int64_t id) {
  return static_cast<std::size_t>(id >> 36);
}

}  // namespace dunlin::storage
