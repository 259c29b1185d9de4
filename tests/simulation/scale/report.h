#pragma once

#include <string>

#include "tests/simulation/scale/fleet.h"

namespace dunlin::simulation {

// A run of a fleet for people: a table for a terminal, and a page of its own for a browser, with
// plots and with all its numbers as JSON in the element "run".
std::string fleet_text(const FleetRun& run);
std::string fleet_page(const FleetRun& run, const std::string& command);
// For programs: JSON lines on standard output (tests/bench/figures.h).
void print_figures(const FleetRun& run);

}  // namespace dunlin::simulation
