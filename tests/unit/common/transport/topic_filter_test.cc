#include "common/transport/topic_filter.h"

#include <gtest/gtest.h>

namespace dunlin {
namespace {

TEST(TopicFilter, MatchesLevelByLevel) {
  EXPECT_TRUE(topic_matches("a/b", "a/b"));
  EXPECT_FALSE(topic_matches("a/b", "a/c"));
  EXPECT_FALSE(topic_matches("a/b", "a"));
  EXPECT_FALSE(topic_matches("a", "a/b"));
  EXPECT_FALSE(topic_matches("a", "ab"));
  EXPECT_FALSE(topic_matches("a/", "a"));
}

TEST(TopicFilter, PlusStandsForExactlyOneLevel) {
  EXPECT_TRUE(topic_matches("a/+/c", "a/b/c"));
  EXPECT_TRUE(topic_matches("a/+/c", "a//c"));
  EXPECT_TRUE(topic_matches("+", "a"));
  EXPECT_TRUE(topic_matches("+/+", "/a"));
  EXPECT_FALSE(topic_matches("+", "/a"));
  EXPECT_FALSE(topic_matches("a/+", "a"));
  EXPECT_FALSE(topic_matches("a/+", "a/b/c"));
}

TEST(TopicFilter, HashStandsForTheParentAndEverythingBelow) {
  EXPECT_TRUE(topic_matches("#", "a/b/c"));
  EXPECT_TRUE(topic_matches("a/#", "a"));
  EXPECT_TRUE(topic_matches("a/#", "a/b/c"));
  EXPECT_TRUE(topic_matches("a/+/#", "a/b"));
  EXPECT_FALSE(topic_matches("a/+/#", "a"));
  EXPECT_FALSE(topic_matches("a/#", "ab/c"));
}

TEST(TopicFilter, WildcardsDoNotReachSystemTopics) {
  EXPECT_FALSE(topic_matches("#", "$SYS/uptime"));
  EXPECT_FALSE(topic_matches("+/uptime", "$SYS/uptime"));
  EXPECT_TRUE(topic_matches("$SYS/#", "$SYS/uptime"));
}

TEST(TopicFilter, KnowsValidTopicsAndFilters) {
  EXPECT_TRUE(is_valid_topic("a//b"));
  EXPECT_FALSE(is_valid_topic(""));
  EXPECT_FALSE(is_valid_topic("a/+"));
  EXPECT_FALSE(is_valid_topic(std::string_view("a\0b", 3)));
  EXPECT_FALSE(is_valid_topic(std::string(65'536, 'a')));
  EXPECT_TRUE(is_valid_filter("+/a/#"));
  EXPECT_FALSE(is_valid_filter("a/#/b"));
  EXPECT_FALSE(is_valid_filter("a#"));
  EXPECT_FALSE(is_valid_filter("a/b+"));
}

}  // namespace
}  // namespace dunlin
