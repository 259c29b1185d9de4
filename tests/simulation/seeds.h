#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace dunlin::simulation {

// Runs a scenario for `count` seeds: DUNLIN_SEED=<n> runs that one alone, DUNLIN_SEEDS=<count> runs
// more. Stops at the first that fails and says how to see it again.
template <typename Scenario>
void for_seeds(std::uint64_t count, Scenario scenario) {
  std::uint64_t first = 1;
  if (const char* more = std::getenv("DUNLIN_SEEDS")) count = std::strtoull(more, nullptr, 10);
  if (const char* one = std::getenv("DUNLIN_SEED"))
    first = std::strtoull(one, nullptr, 10), count = 1;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
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
