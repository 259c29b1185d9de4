#include "common/runtime/topics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "common/transport/topic_filter.h"

namespace dunlin::runtime {
namespace {

using replication::TopicClass;

const NodeId kNode = NodeId::from_string("000102030405060708090a0b0c0d0e0f").value();
const NodeId kReader = NodeId::from_string("ffffffffffffffffffffffffffffffff").value();

TEST(Topics, NamesReadBack) {
  for (const TopicClass topic : {TopicClass::hello, TopicClass::gate, TopicClass::gossip,
                                 TopicClass::live, TopicClass::bulk, TopicClass::inbox}) {
    const NodeId reader = topic == TopicClass::inbox ? kReader : NodeId{};
    const std::string name = topic_name("farm", "north", topic, kNode, reader);
    const auto parsed = parse_topic("farm", name);
    ASSERT_TRUE(parsed) << name;
    EXPECT_EQ(parsed->topic, topic);
    EXPECT_EQ(parsed->cell, "north");
    EXPECT_EQ(parsed->node, kNode);
    EXPECT_EQ(parsed->reader, reader);
  }
  const std::string root = "dunlin/v1/farm/north/";
  const std::string self = "000102030405060708090a0b0c0d0e0f", other = std::string(32, 'f');
  EXPECT_EQ(topic_name("farm", "north", TopicClass::live, kNode), root + "live/" + self);
  const std::vector<std::string> cells{"north", "south"};
  using testing::ElementsAre;
  EXPECT_THAT(
      topic_names("farm", cells, {.topic = TopicClass::bulk, .target = kNode, .cell = 0}, kNode),
      ElementsAre(root + "bulk/" + self));
  EXPECT_THAT(
      topic_names("farm", cells, {.topic = TopicClass::inbox, .target = kReader, .cell = 1}, kNode),
      ElementsAre("dunlin/v1/farm/south/inbox/" + other + "/" + self));
  EXPECT_THAT(topic_names("farm", cells, {.topic = TopicClass::gate, .target = kNode}, kNode),
              ElementsAre(root + "gate/" + self, "dunlin/v1/farm/south/gate/" + self));
}

TEST(Topics, AGatewaysWillIsForTheOtherGateways) {
  EXPECT_EQ(will_topic("farm", {"north"}, TopicClass::hello, kNode),
            topic_name("farm", "north", TopicClass::hello, kNode));
  EXPECT_EQ(will_topic("farm", {"north", "_core"}, TopicClass::gate, kNode),
            topic_name("farm", "_core", TopicClass::gate, kNode));
  EXPECT_EQ(will_topic("farm", {"north", "south"}, TopicClass::gate, kNode),
            topic_name("farm", "north", TopicClass::gate, kNode));
}

TEST(Topics, WhatIsNotOursIsNothing) {
  for (const char* name :
       {"", "dunlin", "dunlin/v1/", "dunlin/v2/farm/north/gossip", "dunlin/v1/other/north/gossip",
        "dunlin/v1/farm/north", "dunlin/v1/farm/north/nonsense", "dunlin/v1/farm/north/live",
        "dunlin/v1/farm/north/live/zz", "dunlin/v1/farm/north/gossip",
        "dunlin/v1/farm/north/inbox/000102030405060708090a0b0c0d0e0f",
        "dunlin/v1/farm/north/inbox/x/000102030405060708090a0b0c0d0e0f",
        "dunlin/v1/farm/north/gossip/", "dunlin/v1/farm/north/gossip/more",
        "dunlin/v1/farm/north/live/000102030405060708090A0b0c0d0e0f",
        "dunlin/v1/farm/north/live/000102030405060708090a0b0c0d0e0f/more"}) {
    EXPECT_FALSE(parse_topic("farm", name)) << name;
  }
}

TEST(Topics, EachRoleListensToWhatItNeeds) {
  const auto agent = subscriptions("farm", {"north"}, replication::Role::agent, kNode);
  const auto gateway = subscriptions("farm", {"north", "south"}, replication::Role::gateway, kNode);
  const auto listens = [](const auto& list, const std::string& filter) {
    return std::any_of(list.begin(), list.end(), [&](const auto& s) { return s.filter == filter; });
  };
  EXPECT_TRUE(listens(agent, "dunlin/v1/farm/north/gate/+"));
  EXPECT_TRUE(listens(agent, "dunlin/v1/farm/north/inbox/" + kNode.to_string() + "/+"));
  EXPECT_FALSE(listens(agent, "dunlin/v1/farm/north/live/+"));
  EXPECT_FALSE(listens(agent, "dunlin/v1/farm/north/gossip/+"));
  for (const std::string& cell : {std::string("north"), std::string("south")}) {
    for (const char* topic : {"live/+", "hello/+", "gossip/+", "bulk/+", "gate/+"}) {
      EXPECT_TRUE(listens(gateway, "dunlin/v1/farm/" + cell + "/" + topic)) << cell << topic;
    }
  }
}

// In the cell where somebody is not to be heard, and there of all topics but the authority's.
TEST(Topics, AWriterIsLeftOutByNamingTheOthers) {
  const auto all = subscriptions("farm", {"north", "south"}, replication::Role::gateway, kNode);
  const auto few = narrowed(all, "farm", "north", {kReader});
  const auto hears = [&](const auto& list, std::string_view cell, TopicClass topic,
                         const NodeId& writer) {
    const std::string name = topic_name("farm", cell, topic, writer, kNode);
    return std::any_of(list.begin(), list.end(),
                       [&](const auto& s) { return topic_matches(s.filter, name); });
  };
  const NodeId hostile = *NodeId::from_string(std::string(32, '7'));
  for (const TopicClass topic : {TopicClass::hello, TopicClass::gate, TopicClass::gossip,
                                 TopicClass::live, TopicClass::bulk, TopicClass::inbox}) {
    EXPECT_TRUE(hears(all, "north", topic, hostile));
    EXPECT_FALSE(hears(few, "north", topic, hostile));
    EXPECT_TRUE(hears(few, "north", topic, kReader));
    EXPECT_TRUE(hears(few, "south", topic, hostile));
  }
  EXPECT_TRUE(hears(few, "north", TopicClass::authority, hostile));
  EXPECT_EQ(few.size(), all.size());  // one filter for each: with one writer as many
}

TEST(Topics, LevelsAreBounded) {
  EXPECT_TRUE(is_topic_level("greenhouse-7_a.b"));
  for (const std::string& bad : {std::string(), std::string("a/b"), std::string("+"),
                                 std::string("#"), std::string("a b"), std::string(65, 'x')}) {
    EXPECT_FALSE(is_topic_level(bad)) << bad;
  }
}

}  // namespace
}  // namespace dunlin::runtime
