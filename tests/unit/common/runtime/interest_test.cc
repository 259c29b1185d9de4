#include "common/runtime/interest.h"

#include <gtest/gtest.h>

#include <set>

#include "common/security/certificate.h"
#include "common/security/keys.h"

namespace dunlin::runtime {
namespace {

using replication::Interest;
using Scope = Interest::Scope;

KnownNode known(const std::string& name, const std::string& role, const std::string& cell) {
  constexpr security::Validity kAlways{0, 4'000'000'000'000'000};
  static auto authority =
      security::Authority::create(security::NodeKey::generate().value(), "mountain", kAlways);
  const auto key = security::NodeKey::generate().value();
  const auto certificate =
      authority->issue(key->public_key(), {"mountain", cell, role, name}, kAlways).value();
  return {key->node(), key->public_key(), name, certificate.der()};
}

bool goes(const Interest& interest, const KnownNode& node, Track track = kSamplesTrack) {
  return is_unwanted(interest, "north", {node.node, Epoch{1}, track}, node);
}

TEST(Interest, SaysWhatMayGo) {
  const KnownNode here = known("pump", "agent", "north"), there = known("pond", "agent", "south"),
                  gateway = known("gate", "gateway", "north");
  for (const KnownNode* node : {&here, &there, &gateway}) {
    EXPECT_TRUE(goes({}, *node));
    EXPECT_FALSE(goes({Scope::fleet}, *node));
    EXPECT_EQ(goes({Scope::cell}, *node), node != &here);
    EXPECT_FALSE(goes({Scope::own, {{node->name}}}, *node));
  }
  const Interest alarms{Scope::cell, {{"pond", Track{9}}}};
  EXPECT_FALSE(goes(alarms, there, Track{9}));
  EXPECT_FALSE(goes(alarms, there, kControlTrack));
  EXPECT_TRUE(goes(alarms, there, Track{8}));
}

TEST(Interest, HasATextOfItsOwn) {
  const std::vector<Interest> different{{},
                                        {Scope::cell},
                                        {Scope::fleet},
                                        {Scope::own, {{"pump"}}},
                                        {Scope::own, {{"pond"}}},
                                        {Scope::own, {{"pump", Track{1}}}},
                                        {Scope::own, {{"pump"}, {"pond"}}}};
  std::set<std::string> texts;
  for (const Interest& each : different) texts.insert(text_of(each));
  EXPECT_EQ(texts.size(), different.size());
}

// Without certificates nobody can tell which cell a node is in.
TEST(Interest, WhatNobodyKnowsStays) {
  const KnownNode node{NodeId{{1}}, {}, "pond"};
  EXPECT_FALSE(goes({Scope::cell}, node));
  EXPECT_TRUE(goes({Scope::own, {{"pump"}}}, node));
}

}  // namespace
}  // namespace dunlin::runtime
