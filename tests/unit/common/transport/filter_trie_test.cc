#include "common/transport/memory/filter_trie.h"

#include <gtest/gtest.h>

#include "common/transport/topic_filter.h"

namespace dunlin {
namespace {

TEST(FilterTrie, FindsWhatEachFilterMatches) {
  const std::vector<std::string> filters = {"a",   "a/b", "a/+", "+/b", "a/#",  "#",
                                            "+/+", "a//", "+",   "/a",  "$s/+", "a/+/c"};
  FilterTrie<const std::string> trie;
  for (const std::string& filter : filters) trie.add(filter, &filter);
  for (const std::string topic : {"a", "b", "a/b", "a/b/c", "/a", "a/", "a//", "$s/b", "$s", "/"}) {
    std::vector<const std::string*> expected;
    for (const std::string& filter : filters) {
      if (topic_matches(filter, topic)) expected.push_back(&filter);
    }
    std::vector<const std::string*> found = trie.readers_of(topic);
    std::sort(found.begin(), found.end());
    EXPECT_EQ(found, expected) << topic;
  }
}

TEST(FilterTrie, ForgetsWhatIsRemoved) {
  FilterTrie<int> trie;
  int one = 1;
  int two = 2;
  trie.add("a/+", &one);
  trie.add("a/+", &two);
  trie.add("a/b", &one);
  EXPECT_EQ(trie.readers_of("a/b").size(), 3U);
  trie.remove("a/+", &one);
  trie.remove("a/b", &one);
  EXPECT_EQ(trie.readers_of("a/b"), std::vector<int*>{&two});
}

}  // namespace
}  // namespace dunlin
