#pragma once

#include "tests/simulation/store/sim_store.h"

namespace dunlin::simulation {

// What readings take on a disk: all segments of a store go into a real one, which merges what it
// can, and its pages are counted without those of an empty one.
double disk_bytes_per_reading(SimStore& from);

}  // namespace dunlin::simulation
