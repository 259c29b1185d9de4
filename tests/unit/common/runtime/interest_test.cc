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

bool goes(const Interest& interest, const KnownNode& node) {
  return is_unwanted(interest, "north", node);
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
  EXPECT_FALSE(goes({Scope::own, {{"pond", Track{9}}}}, there)) << "of a node all or nothing";
  KnownNode boaster = there;
  boaster.name = "pump";
  EXPECT_TRUE(goes({Scope::own, {{"pump"}}}, boaster)) << "the certificate says who it is";
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
  for (const Interest& each : different) texts.insert(text_of(each, "north", ""));
  texts.insert(text_of({}, "south", ""));
  EXPECT_EQ(texts.size(), different.size() + 1);
}

// Where a node does not listen any more, what it said there would stay.
TEST(Interest, RemembersThatItKeptTheFleet) {
  const Interest own{}, cell{Scope::cell}, fleet{Scope::fleet};
  std::string text;
  const auto left = [&](const Interest& interest) {
    text = text_of(interest, "north", text);
    return has_left_backbone(text);
  };
  for (const Interest& interest : {own, cell, own, fleet}) EXPECT_FALSE(left(interest));
  for (const Interest& interest : {cell, own, own}) EXPECT_TRUE(left(interest)) << text;
  const std::string once = text;
  EXPECT_TRUE(left(own));
  EXPECT_EQ(text, once);
  EXPECT_FALSE(left(fleet));
}

// Without certificates nobody can tell which cell a node is in.
TEST(Interest, WhatNobodyKnowsStays) {
  const KnownNode node{NodeId{{1}}, {}, "pond"};
  EXPECT_FALSE(goes({Scope::cell}, node));
  EXPECT_TRUE(goes({Scope::own, {{"pump"}}}, node));
}

}  // namespace
}  // namespace dunlin::runtime
