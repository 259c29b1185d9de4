#include "common/replication/instances.h"

#include <gtest/gtest.h>

namespace dunlin::replication {
namespace {

TEST(Instances, RestartsAreNoClones) {
  Instances instances;
  for (std::uint64_t start = 1; start < 20; ++start) {
    for (std::uint64_t counter = 1; counter < 4; ++counter)
      EXPECT_FALSE(instances.heard(Nonce{start}, counter));
  }
  EXPECT_FALSE(instances.cloned());
}

TEST(Instances, WhatComesTwiceOrLateIsNoClone) {
  Instances instances;
  (void)instances.heard(Nonce{1}, 5);
  for (int n = 0; n < 10; ++n) {
    EXPECT_FALSE(instances.heard(Nonce{2}, 1));
    EXPECT_FALSE(instances.heard(Nonce{1}, 5));
    EXPECT_FALSE(instances.heard(Nonce{1}, 4));
  }
  EXPECT_FALSE(instances.heard(Nonce{1}, 6));  // said before it stopped
  EXPECT_FALSE(instances.heard(Nonce{2}, 2));
  EXPECT_FALSE(instances.cloned());
}

TEST(Instances, WhoTakesTurnsIsAClone) {
  Instances instances;
  int shown = 0;
  for (std::uint64_t counter = 1; counter <= 4; ++counter) {
    shown += instances.heard(Nonce{1}, counter) ? 1 : 0;
    shown += instances.heard(Nonce{2}, counter) ? 1 : 0;
  }
  EXPECT_TRUE(instances.cloned());
  EXPECT_EQ(shown, 4);
}

}  // namespace
}  // namespace dunlin::replication
