#include "common/config/nearest.h"

#include <gtest/gtest.h>

namespace dunlin::config {
namespace {

const std::vector<std::string> kKnown = {"url", "username", "password_file", "ca_file", "interval"};

TEST(Nearest, FindsTypingMistakes) {
  EXPECT_EQ(nearest("intreval", kKnown), "interval");
  EXPECT_EQ(nearest("usernam", kKnown), "username");
  EXPECT_EQ(nearest("pasword_file", kKnown), "password_file");
  EXPECT_EQ(nearest("urls", kKnown), "url");
}

TEST(Nearest, SaysNothingWhenNothingIsNear) {
  EXPECT_EQ(nearest("colour", kKnown), "");
  EXPECT_EQ(nearest("x", kKnown), "");
  EXPECT_EQ(nearest("", kKnown), "");
  EXPECT_EQ(nearest(std::string(10'000, 'u'), kKnown), "");
  EXPECT_EQ(did_you_mean("colour", kKnown), "");
}

}  // namespace
}  // namespace dunlin::config
