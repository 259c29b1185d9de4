#include "common/replication/gateways.h"

#include "common/base/random.h"
#include "tests/support/generators.h"

namespace dunlin::replication {
namespace {

constexpr CellIndex kNorth = 0, kCore = 1, kSouth = 2;

NodeId some_node(Random& random) {
  NodeId id;
  for (std::uint8_t& byte : id.bytes) byte = static_cast<std::uint8_t>(random.next());
  return id;
}

// Gateways that have all heard of one another, and in which cells each is.
class Meeting {
 public:
  struct Member {
    NodeId node;
    std::set<CellIndex> cells;
  };
  explicit Meeting(std::vector<Member> members) : members_(std::move(members)) {
    for (const Member& each : members_) {
      for (const CellIndex cell : each.cells) where_.heard(each.node, cell);
    }
    for (const Member& self : members_) {
      Gateways& seen = views_.emplace(self.node, Gateways(self.node, where_)).first->second;
      for (const Member& other : members_) {
        if (other.node != self.node) seen.up(other.node);
      }
    }
  }

  // The ranks of those that serve the cell, in their own eyes.
  std::map<NodeId, std::size_t> ranks(const NodeId& origin, CellIndex cell) const {
    std::map<NodeId, std::size_t> found;
    for (const Member& each : members_) {
      if (each.cells.contains(cell)) found[each.node] = views_.at(each.node).rank(origin, cell);
    }
    return found;
  }
  const NodeId* first(const NodeId& origin, CellIndex cell) const {
    for (const Member& each : members_) {
      if (each.cells.contains(cell) && views_.at(each.node).rank(origin, cell) == 0)
        return &each.node;
    }
    return nullptr;
  }
  Gateways& view(std::size_t member) { return views_.at(members_[member].node); }
  const std::vector<Member>& members() const { return members_; }
  void down(const NodeId& node) {
    std::erase_if(members_, [&](const Member& each) { return each.node == node; });
    views_.erase(node);
    for (auto& [self, seen] : views_) seen.down(node);
  }
  const Whereabouts& where() const { return where_; }

 private:
  std::vector<Member> members_;
  Whereabouts where_{{"north", std::string(kBackboneName), "south"}};
  std::map<NodeId, Gateways> views_;
};

Meeting some_meeting(Random& random) {
  std::vector<Meeting::Member> members;
  for (std::uint64_t n = 1 + random.below(8); n > 0; --n) {
    std::set<CellIndex> cells;
    for (const CellIndex cell : {kNorth, kCore, kSouth}) {
      if (random.below(4) != 0) cells.insert(cell);
    }
    members.push_back({some_node(random), cells});
  }
  return Meeting(std::move(members));
}

RC_GTEST_PROP(Gateways, RanksAreAPermutationOfThoseThatServeTheCell, (std::uint64_t seed)) {
  Random random(seed);
  const Meeting meeting = some_meeting(random);
  for (const CellIndex cell : {kNorth, kCore, kSouth}) {
    for (int i = 0; i < 5; ++i) {
      std::set<std::size_t> seen;
      const auto ranks = meeting.ranks(some_node(random), cell);
      for (const auto& [node, rank] : ranks) seen.insert(rank);
      RC_ASSERT(seen.size() == ranks.size());
      if (!seen.empty()) RC_ASSERT(*seen.rbegin() == ranks.size() - 1);
    }
  }
}

RC_GTEST_PROP(Gateways, EachKnowsWhoSpeaksFirstWhenItIsAnother, (std::uint64_t seed)) {
  Random random(seed);
  Meeting meeting = some_meeting(random);
  const NodeId origin = some_node(random);
  const NodeId* first = meeting.first(origin, kNorth);
  for (std::size_t i = 0; i < meeting.members().size(); ++i) {
    if (!meeting.members()[i].cells.contains(kNorth)) continue;
    RC_ASSERT(first != nullptr);
    const NodeId* named = meeting.view(i).first(origin, kNorth);
    const bool itself = *first == meeting.members()[i].node;
    const bool right = itself ? named == nullptr : named != nullptr && *named == *first;
    RC_ASSERT(right);
  }
}

RC_GTEST_PROP(Gateways, WithOneThatLeavesOnlyItsOwnShareChangesHands, (std::uint64_t seed)) {
  Random random(seed);
  Meeting meeting = some_meeting(random);
  std::map<NodeId, std::optional<NodeId>> before;
  const auto first = [&](const NodeId& origin) {
    const NodeId* speaks = meeting.first(origin, kNorth);
    return speaks == nullptr ? std::optional<NodeId>() : *speaks;
  };
  for (int i = 0; i < 20; ++i) {
    const NodeId origin = some_node(random);
    before[origin] = first(origin);
  }
  const NodeId leaves = meeting.members()[random.below(meeting.members().size())].node;
  meeting.down(leaves);
  for (const auto& [origin, speaker] : before) {
    const bool right = speaker == leaves ? first(origin) != leaves : first(origin) == speaker;
    RC_ASSERT(right);
  }
}

// Three gateways share the origins of a cell about evenly.
TEST(Gateways, EachHasItsShare) {
  Random random(1);
  std::vector<Meeting::Member> members;
  while (members.size() < 3) members.push_back({some_node(random), {kNorth}});
  const Meeting meeting(std::move(members));
  std::map<NodeId, int> shares;
  for (int i = 0; i < 3000; ++i) shares[*meeting.first(some_node(random), kNorth)] += 1;
  ASSERT_EQ(shares.size(), 3u);
  for (const auto& [gateway, share] : shares) EXPECT_NEAR(share, 1000, 150);
}

class TwoGateways : public testing::Test {
 protected:
  // An origin of the north for which the other one speaks first.
  NodeId of_the_other() {
    NodeId origin;
    while (gateways_.rank(origin, kNorth) == 0) origin.bytes[0] += 1;
    return origin;
  }
  const NodeId self_{{1}};
  const NodeId other_{{2}};
  Whereabouts where_{{"north", std::string(kBackboneName), "south"}};
  Gateways gateways_{self_, where_};
};

TEST_F(TwoGateways, WhoWasSilentComesLastUntilItIsHeard) {
  where_.heard(other_, kNorth);
  gateways_.up(other_);
  const NodeId origin = of_the_other();
  gateways_.silent(other_);
  EXPECT_EQ(gateways_.rank(origin, kNorth), 0u);
  EXPECT_EQ(gateways_.first(origin, kNorth), nullptr);
  gateways_.heard(other_);
  EXPECT_EQ(gateways_.rank(origin, kNorth), 1u);
  ASSERT_NE(gateways_.first(origin, kNorth), nullptr);
  EXPECT_EQ(*gateways_.first(origin, kNorth), other_);
  // Nor is that held against it when it was away.
  gateways_.silent(other_);
  gateways_.down(other_);
  EXPECT_EQ(gateways_.rank(origin, kNorth), 0u);
  gateways_.up(other_);
  EXPECT_EQ(gateways_.rank(origin, kNorth), 1u);
}

TEST_F(TwoGateways, OnlyWhoServesTheCellAndIsUpCounts) {
  where_.heard(other_, kNorth);
  gateways_.up(other_);
  const NodeId origin = of_the_other();
  EXPECT_EQ(gateways_.rank(origin, kSouth), 0u);
  where_.heard(other_, kSouth);
  EXPECT_EQ(gateways_.rank(origin, kSouth), 1u) << "the cell plays no part in who comes first";
  gateways_.down(other_);
  EXPECT_EQ(gateways_.rank(origin, kNorth), 0u);
  EXPECT_TRUE(gateways_.all().empty());
}

TEST_F(TwoGateways, TheBackboneEndsWhereAllServeTheCell) {
  EXPECT_FALSE(gateways_.any_beyond(kNorth));
  gateways_.up(other_);
  where_.heard(other_, kSouth);
  EXPECT_FALSE(gateways_.any_beyond(kNorth)) << "it is not in the backbone";
  where_.heard(other_, kCore);
  EXPECT_TRUE(gateways_.any_beyond(kNorth));
  EXPECT_FALSE(gateways_.any_beyond(kSouth));
  gateways_.silent(other_);
  EXPECT_TRUE(gateways_.any_beyond(kNorth)) << "it may listen";
  where_.heard(other_, kNorth);
  EXPECT_FALSE(gateways_.any_beyond(kNorth));
  where_.forget(other_);
  where_.heard(other_, kCore);
  gateways_.down(other_);
  EXPECT_FALSE(gateways_.any_beyond(kNorth));
  Whereabouts no_backbone({"north", "south"});
  Gateways others(self_, no_backbone);
  no_backbone.heard(other_, kSouth);
  others.up(other_);
  EXPECT_FALSE(others.any_beyond(kNorth));
}

}  // namespace
}  // namespace dunlin::replication
