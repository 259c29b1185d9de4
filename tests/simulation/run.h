#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/simulation/scenario.h"

namespace dunlin::simulation {

struct RunOptions {
  std::uint64_t seed = 1;
  std::function<void(const std::string& line)> trace = {};
};

struct RunResult {
  std::string about;  // what the seed drew
  Problems problems;
  double node_hours = 0;
  std::uint64_t transcript = 0;
};

// Adds what the cluster says of itself.
RunResult finish(Cluster& cluster, Problems problems, std::string about = {});

// Fleet, policies, faults and their times all drawn from the seed. Most runs are light and long,
// some have real stores and keys and are short and rough.
RunResult run_random(const RunOptions& options);

// A written scenario: a file of its own below scenarios/.
struct Scenario {
  std::string name;
  std::string about;
  RunResult (*run)(const RunOptions& options);
};
const std::vector<Scenario>& scenarios();  // by name

// In each scenario's file, at namespace scope.
struct Register {
  explicit Register(Scenario scenario);
};

}  // namespace dunlin::simulation
