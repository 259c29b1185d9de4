#include "common/replication/whereabouts.h"

#include <gtest/gtest.h>

namespace dunlin::replication {
namespace {

NodeId node(std::uint8_t number) {
  NodeId id;
  id.bytes.fill(number);
  return id;
}

TEST(Whereabouts, FindsTheBackboneAmongTheCells) {
  EXPECT_EQ(Whereabouts({"north", "_core", "south"}).backbone(), CellIndex{1});
  EXPECT_EQ(Whereabouts({"_core"}).backbone(), CellIndex{0});
  EXPECT_EQ(Whereabouts({"north", "core"}).backbone(), std::nullopt);
}

TEST(Whereabouts, AnAgentIsWhereItWasHeard) {
  Whereabouts where({"north", "_core", "south"});
  where.heard(node(1), 2);
  EXPECT_EQ(where.home(node(1)), "south");
  EXPECT_EQ(where.reach(node(1)), 2u);
  EXPECT_TRUE(where.met(node(1), 2));
  EXPECT_FALSE(where.met(node(1), 0));
  EXPECT_FALSE(where.met(node(1), 1));
}

TEST(Whereabouts, AGatewayIsReachedInTheBackboneAndAtHomeElsewhere) {
  Whereabouts where({"north", "_core", "south"});
  for (const CellIndex cell : {2u, 1u, 2u}) where.heard(node(1), cell);
  EXPECT_EQ(where.reach(node(1)), 1u);
  EXPECT_EQ(where.home(node(1)), "south");
  where.heard(node(1), 0);
  EXPECT_EQ(where.reach(node(1)), 1u);
  EXPECT_EQ(where.home(node(1)), "north");
  // One that serves none of our cells, and one in a fleet without a backbone.
  where.heard(node(2), 1);
  EXPECT_EQ(where.reach(node(2)), 1u);
  EXPECT_EQ(where.home(node(2)), "");
  Whereabouts alone({"north", "south"});
  alone.heard(node(1), 1);
  EXPECT_EQ(alone.reach(node(1)), 1u);
}

TEST(Whereabouts, WhoWasNotHeardIsNowhereAndReachedInTheFirstCell) {
  Whereabouts where({"north", "_core"});
  EXPECT_EQ(where.home(node(1)), "");
  EXPECT_EQ(where.reach(node(1)), 0u);
  EXPECT_FALSE(where.met(node(1), 0));
}

TEST(Whereabouts, WhoIsForgottenWasNeverHeard) {
  Whereabouts where({"north", "_core"});
  where.heard(node(1), 1);
  where.heard(node(2), 1);
  where.forget(node(1));
  where.forget(node(3));
  EXPECT_FALSE(where.met(node(1), 1));
  EXPECT_EQ(where.reach(node(1)), 0u);
  EXPECT_TRUE(where.met(node(2), 1));
  where.heard(node(1), 0);
  EXPECT_EQ(where.home(node(1)), "north");
}

}  // namespace
}  // namespace dunlin::replication
