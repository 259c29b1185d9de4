#pragma once

#include <string>

#include "common/replication/io.h"

namespace dunlin::simulation {

// Virtual seconds with all their decimals.
std::string stamp(Instant at);
// One output for people.
std::string describe(const replication::Output& output);
// A hash over everything that a replica said, in order.
std::uint64_t mix(std::uint64_t hash, const replication::Output& output);

}  // namespace dunlin::simulation
