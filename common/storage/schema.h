#pragma once

#include <span>

namespace dunlin::storage {

inline constexpr int kApplicationId = 0x444e4c4e;  // "DNLN"

// Step n brings a database from user_version n to n + 1. Released steps never change; a new version
// of the schema is a new step.
std::span<const char* const> schema_steps();

}  // namespace dunlin::storage
