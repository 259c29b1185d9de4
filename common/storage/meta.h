#pragma once

#include <string>
#include <string_view>

#include "common/storage/sqlite.h"

namespace dunlin::storage {

// What a database file says of itself, by keys (common/doc/log_format.md, table `meta`).
Result<std::string> read_meta(Connection& db, std::string_view key);  // "" where there is nothing
Result<std::uint64_t> read_meta_number(Connection& db,
                                       std::string_view key);  // 0 where there is none
Result<void> write_meta(Connection& db, std::string_view key, std::string_view value);

}  // namespace dunlin::storage
