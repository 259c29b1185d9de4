#pragma once

#include <cstddef>

namespace dunlin::simulation {

// What a gateway's replica costs when it knows many logs, two of each node, most of them idle. Keys
// are light, so that signatures do not hide the rest.
struct GatewayCost {
  double start_seconds = 0;        // with all logs
  double bytes_per_idle_log = 0;   // with as many of their nodes up as it takes, and two logs each
  double status_seconds = 0;       // to describe all of them
  double status_part_seconds = 0;  // the longest part that the loop is held by
  double first_status_part_seconds = 0;
  double cpu_us_per_reading = 0;  // segments of ten readings of fifty nodes come, and are stored
};
GatewayCost gateway_cost(std::size_t logs);

// Opening and loading the real store of so many logs, and starting a replica from it.
struct StartCost {
  double load_seconds = 0;
  double start_seconds = 0;
};
StartCost start_cost(std::size_t logs);

}  // namespace dunlin::simulation
