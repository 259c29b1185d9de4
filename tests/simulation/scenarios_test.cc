// Every written scenario and a fixed set of random ones; dunlin-sim runs the same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/simulation/run.h"
#include "tests/simulation/seeds.h"

namespace dunlin::simulation {

void PrintTo(const Scenario& scenario, std::ostream* out) {
  *out << scenario.name;
}

namespace {

class Scenarios : public testing::TestWithParam<Scenario> {};

TEST_P(Scenarios, Written) {
  for_seeds(1, [](std::uint64_t seed) {
    EXPECT_THAT(GetParam().run({.seed = seed}).problems, testing::IsEmpty())
        << "dunlin-sim scenario " << GetParam().name << " --seed " << seed;
  });
}
INSTANTIATE_TEST_SUITE_P(Of, Scenarios, testing::ValuesIn(scenarios().begin(), scenarios().end()),
                         [](const auto& of) { return std::string(of.param.name); });

TEST(RandomScenarios, HoldToo) {
  for_seeds(10, [](std::uint64_t seed) {
    EXPECT_THAT(run_random({.seed = seed}).problems, testing::IsEmpty())
        << "dunlin-sim run --seed " << seed;
  });
}

}  // namespace
}  // namespace dunlin::simulation
