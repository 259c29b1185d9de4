// Agents in several cells, and gateways that serve all or some of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/simulation/scenario.h"

namespace dunlin::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

ClusterOptions fleet(std::size_t gateways, std::size_t gateways_per_cell) {
  ClusterOptions options = random_options(3);
  options.light = true;
  options.agents = 7;
  options.gateways = gateways;
  options.cell_size = 3;
  options.gateways_per_cell = gateways_per_cell;
  return options;
}

TEST(Cells, AgentsFillOneAfterTheOther) {
  Cluster cluster(fleet(2, 0));
  const auto cells = [&](std::size_t node) { return cluster.node(node).options().replica.cells; };
  EXPECT_THAT(cells(0), ElementsAre("cell-1", "cell-2", "cell-3", "_core"));
  EXPECT_THAT(cells(1), ElementsAre("cell-1", "cell-2", "cell-3", "_core"));
  EXPECT_THAT(cells(2), ElementsAre("cell-1"));
  EXPECT_THAT(cells(5), ElementsAre("cell-2"));
  EXPECT_THAT(cells(8), ElementsAre("cell-3"));
}

TEST(Cells, GatewaysTakeThemInTurn) {
  Cluster cluster(fleet(3, 2));
  const auto cells = [&](std::size_t node) { return cluster.node(node).options().replica.cells; };
  EXPECT_THAT(cells(0), ElementsAre("cell-1", "cell-2", "_core"));
  EXPECT_THAT(cells(1), ElementsAre("cell-1", "cell-3", "_core"));
  EXPECT_THAT(cells(2), ElementsAre("cell-2", "cell-3", "_core"));
  EXPECT_TRUE(cluster.serves(0, 3));
  EXPECT_FALSE(cluster.serves(2, 3));
}

TEST(Cells, EachConvergesAtItsGateways) {
  for (const std::size_t gateways_per_cell : {0U, 1U, 2U}) {
    Cluster cluster(fleet(3, gateways_per_cell));
    cluster.append_randomly(milliseconds(500), 5, seconds(30));
    cluster.run_for(seconds(30));
    EXPECT_THAT(settle(cluster, {.crashes = false, .settles_within = seconds(10)}), IsEmpty());
  }
}

}  // namespace
}  // namespace dunlin::simulation
