#include "common/storage/placement.h"

#include <gtest/gtest.h>

#include "common/base/random.h"

namespace dunlin::storage {
namespace {

NodeId node_of(Random& random) {
  NodeId node;
  for (std::uint8_t& byte : node.bytes) byte = static_cast<std::uint8_t>(random.below(256));
  return node;
}

class PlacementTest : public testing::Test {
 protected:
  Placement place(std::size_t spread, const std::vector<Placement::Found>& found = {}) const {
    return Placement::make({.self = self_, .authority = authority_, .spread = spread}, found)
        .value();
  }

  Random random_{7};
  NodeId self_ = node_of(random_);
  NodeId authority_ = node_of(random_);
};

TEST_F(PlacementTest, SpreadsOthersAndKeepsItsOwn) {
  const Placement placement = place(3);
  std::vector<int> nodes(3);
  for (int i = 0; i < 300; ++i) nodes.at(placement.of(node_of(random_))) += 1;
  for (const int each : nodes) EXPECT_GT(each, 50);
  EXPECT_EQ(placement.of(self_), 0u);
  EXPECT_EQ(placement.of(authority_), 0u);
  EXPECT_TRUE(placement.is_authority(authority_));
  EXPECT_FALSE(placement.is_authority(self_));
}

TEST_F(PlacementTest, WhoIsStoredSomewhereStaysThere) {
  std::vector<Placement::Found> found;
  for (int i = 0; i < 100; ++i) {
    found.emplace_back(node_of(random_), static_cast<std::uint8_t>(i % 4));
    found.push_back(found.back());  // by its key, and by a log
  }
  for (const std::size_t spread : {1u, 2u, 3u, 8u}) {
    const Placement placement = place(spread, found);
    for (const auto& [node, shard] : found) EXPECT_EQ(placement.of(node), shard);
    for (int i = 0; i < 50; ++i) EXPECT_LT(placement.of(node_of(random_)), spread);
  }
}

TEST_F(PlacementTest, RefusesWhatIsInTwoPlaces) {
  const NodeId other = node_of(random_);
  const auto twice = Placement::make({.self = self_, .spread = 2}, {{other, 0}, {other, 1}});
  ASSERT_FALSE(twice.ok());
  EXPECT_EQ(twice.error().code, Errc::exists);
  const auto astray = Placement::make({.self = self_, .spread = 2}, {{self_, 1}});
  ASSERT_FALSE(astray.ok());
  EXPECT_EQ(astray.error().code, Errc::exists);
}

}  // namespace
}  // namespace dunlin::storage
