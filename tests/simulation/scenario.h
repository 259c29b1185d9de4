#pragma once

#include "tests/simulation/checkers.h"
#include "tests/simulation/cluster.h"

namespace dunlin::simulation {

// Sizes, flush policies and bounds that differ from seed to seed.
ClusterOptions random_options(std::uint64_t seed);
// A bus that loses, repeats, delays and reorders.
void add_bus_faults(ClusterOptions& options);
// Disks that fail at times.
void add_disk_faults(ClusterOptions& options);

// Runs until everything is at the gateway, for as long as a fleet may take after the last fault,
// and checks it.
Problems settle(Cluster& cluster, Expectations expected);

}  // namespace dunlin::simulation
