#include "common/storage/shard_files.h"

#include <filesystem>

namespace dunlin::storage {

namespace {

namespace fs = std::filesystem;

std::string beside(const fs::path& database, std::size_t shard) {
  return database.stem().string() + "-" + std::to_string(shard) + database.extension().string();
}

}  // namespace

std::string shard_file(const std::string& database, std::size_t shard) {
  if (shard == 0) return database;
  const fs::path path(database);
  return (path.parent_path() / beside(path, shard)).string();
}

std::vector<std::size_t> further_shards(const std::string& database) {
  std::vector<std::size_t> found;
  for (std::size_t shard = 1; shard < kShardsMax; ++shard) {
    const std::string path = shard_file(database, shard);
    std::error_code ignored;
    if (fs::exists(path, ignored) || fs::exists(path + ".salvaged", ignored))
      found.push_back(shard);
  }
  return found;
}

std::string schema_of(std::size_t shard) {
  return shard == 0 ? "main" : "shard" + std::to_string(shard);
}

}  // namespace dunlin::storage
