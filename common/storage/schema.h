#pragma once

#include <span>
#include <string>

#include "common/storage/sqlite.h"

namespace dunlin::storage {

inline constexpr int kApplicationId = 0x444e4c4e;  // "DNLN"

// Step n brings a database from user_version n to n + 1. Released steps never change; a new version
// of the schema is a new step.
std::span<const char* const> schema_steps();

// For who reads a database that another program may be writing: it is one of ours, and of this
// version. `not_found` when nothing is in it yet, `invalid_argument`, `unsupported`.
Result<void> check_schema(Connection& db, const std::string& path,
                          const std::string& attached_as = "main");

}  // namespace dunlin::storage
