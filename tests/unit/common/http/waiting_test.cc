#include "common/http/waiting.h"

#include <gtest/gtest.h>

namespace dunlin::http {
namespace {

TEST(Waiting, WhoIsServedLeastIsNext) {
  Waiting waiting(64, 8);
  for (const int fd : {1, 2, 3}) EXPECT_TRUE(waiting.push({fd, "many"}));
  EXPECT_TRUE(waiting.push({4, "one"}));
  const auto first = waiting.pop().value();
  EXPECT_EQ(first.fd, 1);
  EXPECT_EQ(waiting.pop()->fd, 4);
  EXPECT_EQ(waiting.pop()->fd, 2);
  EXPECT_TRUE(waiting.push({5, "one"}));
  waiting.done(first);
  EXPECT_EQ(waiting.pop()->fd, 3) << "one of each is served, and it waited longer";
  EXPECT_EQ(waiting.pop()->fd, 5);
  EXPECT_TRUE(waiting.empty());
}

TEST(Waiting, NobodyFillsIt) {
  Waiting waiting(64, 2);
  EXPECT_TRUE(waiting.push({1, "many"}));
  EXPECT_TRUE(waiting.push({2, "many"}));
  EXPECT_FALSE(waiting.push({3, "many"}));
  EXPECT_TRUE(waiting.push({4, "one"}));
  EXPECT_EQ(waiting.pop()->fd, 1);
  EXPECT_TRUE(waiting.push({5, "many"}));
}

TEST(Waiting, TheRestIsServedWhenItEnds) {
  Waiting waiting(64, 8);
  EXPECT_TRUE(waiting.push({1, "one"}));
  waiting.close();
  EXPECT_FALSE(waiting.push({2, "one"}));
  EXPECT_EQ(waiting.pop()->fd, 1);
  EXPECT_FALSE(waiting.pop());
  waiting.open();
  EXPECT_TRUE(waiting.push({3, "one"}));
}

}  // namespace
}  // namespace dunlin::http
