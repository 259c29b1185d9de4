#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace dunlin::simulation {

// Runs a scenario for the seeds 1 to `count`, then for those that found a mistake once.
// DUNLIN_SEED=<n> runs that one alone, DUNLIN_SEEDS=<count> runs more. Stops at the first that
// fails and says how to see it again.
template <typename Scenario>
void for_seeds(std::uint64_t count, Scenario scenario, std::vector<std::uint64_t> known = {}) {
  if (const char* more = std::getenv("DUNLIN_SEEDS")) count = std::strtoull(more, nullptr, 10);
  std::vector<std::uint64_t> seeds;
  for (std::uint64_t seed = 1; seed <= count; ++seed) seeds.push_back(seed);
  seeds.insert(seeds.end(), known.begin(), known.end());
  if (const char* one = std::getenv("DUNLIN_SEED")) seeds = {std::strtoull(one, nullptr, 10)};
  for (const std::uint64_t seed : seeds) {
    scenario(seed);
    if (!testing::Test::HasFailure()) continue;
    const testing::TestInfo& info = *testing::UnitTest::GetInstance()->current_test_info();
    ADD_FAILURE() << "run again with: DUNLIN_SEED=" << seed
                  << " simulation_tests --gtest_filter=" << info.test_suite_name() << "."
                  << info.name();
    return;
  }
}

}  // namespace dunlin::simulation
