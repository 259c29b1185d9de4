#pragma once

#include "tests/simulation/scale/fleet.h"

namespace dunlin::simulation {

// What machines for such a fleet need, from a run of it and what was measured of real programs
// (common/doc/performance.md).
struct Needs {
  double memory_bytes = 0;
  double disk_bytes_a_year = 0;
  double outage_bytes = 0;    // of disk: what is kept until gateways are back
  double link_bits = 0;       // a second, both ways together, with TCP and IP
  double link_bits_peak = 0;  // of an interval
  double link_bytes_a_month = 0;
  double cores = 0;  // busy, as steady as it was before
};
struct Estimate {
  Needs agent, gateway;  // of each
};
Estimate estimate(const FleetRun& run);

}  // namespace dunlin::simulation
