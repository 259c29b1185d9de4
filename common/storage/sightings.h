#pragma once

#include <vector>

#include "common/log/stored.h"
#include "common/storage/sqlite.h"

namespace dunlin::storage {

// When nodes were last heard of, in place of what is kept. Within a transaction of the caller.
Result<void> keep_sightings(Connection& db, const std::vector<Sighting>& sightings);

}  // namespace dunlin::storage
