// Every written scenario and a fixed set of random ones; dunlin-sim runs the same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/simulation/run.h"
#include "tests/simulation/seeds.h"

namespace dunlin::simulation {
namespace {

TEST(Scenarios, Written) {
  ASSERT_GE(scenarios().size(), 7u);
  for_seeds(1, [](std::uint64_t seed) {
    for (const Scenario& scenario : scenarios()) {
      EXPECT_THAT(scenario.run({.seed = seed}).problems, testing::IsEmpty())
          << "dunlin-sim scenario " << scenario.name << " --seed " << seed;
    }
  });
}

TEST(Scenarios, Random) {
  for_seeds(10, [](std::uint64_t seed) {
    EXPECT_THAT(run_random({.seed = seed}).problems, testing::IsEmpty())
        << "dunlin-sim run --seed " << seed;
  });
}

}  // namespace
}  // namespace dunlin::simulation
