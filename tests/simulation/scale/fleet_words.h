#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tests/simulation/scale/estimate.h"

namespace dunlin::simulation {

// What a report says of a run, wherever it says it.
struct Table {
  std::string title;
  std::vector<std::string> head;
  std::vector<std::vector<std::string>> rows;
};
std::string title_of(const FleetPlan& plan);
std::string about(const FleetRun& run);  // sentences
std::vector<Table> tables_of(const FleetRun& run);
std::vector<std::string> notes_of(const FleetRun& run);  // how it was measured

}  // namespace dunlin::simulation
