#pragma once

#include <string>

#include "common/storage/query.h"

namespace dunlin::storage {

// What a database holds, one row per log: node, name, epoch, track, first and last entry, missing,
// lost and acked entries, readings, bytes, and the UTC of the oldest and newest reading (ISO 8601).
// Opens the file read-only; errors as for Reader::open, `corrupt` for a version vector that does
// not read back.
Result<Table> inspect(const std::string& path);

}  // namespace dunlin::storage
