#include "common/log/trie_path.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "common/base/sha256.h"

namespace dunlin {
namespace {

TriePath path(std::uint64_t depth, std::uint64_t nibbles) {
  const std::optional<TriePath> made = TriePath::of(depth, nibbles);
  EXPECT_TRUE(made) << depth << " " << nibbles;
  return made.value_or(TriePath());
}

TEST(TriePath, KeyIsTheStartOfTheLogIdsHash) {
  const LogId log{{}, Epoch{7}, kSamplesTrack};
  const Hash hash = sha256(log_id_bytes(log));
  EXPECT_EQ(trie_key(log), std::stoull(to_hex(ByteView(hash).first(8)), nullptr, 16));
}

TEST(TriePath, IsNibblesFromTheHighestOn) {
  const TriePath made = TriePath().child(1).child(0xa).child(2);
  EXPECT_EQ(made.depth(), 3U);
  EXPECT_EQ(made.nibbles(), 0x1a2U);
  EXPECT_EQ(made, path(3, 0x1a2));
  EXPECT_EQ(made.step(0), 1U);
  EXPECT_EQ(made.step(2), 2U);
  EXPECT_TRUE(made.holds(0x1a2f000000000000));
  EXPECT_TRUE(made.holds(0x1a20000000000000));
  EXPECT_FALSE(made.holds(0x1a30000000000000));
  EXPECT_FALSE(made.holds(0x01a2000000000000));
  EXPECT_EQ(TriePath::step(0x1a2f000000000000, 3), 0xfU);
}

TEST(TriePath, RootHoldsAllAndTheLongestOneKey) {
  EXPECT_EQ(TriePath(), path(0, 0));
  EXPECT_TRUE(TriePath().holds(0));
  EXPECT_TRUE(TriePath().holds(~TrieKey{0}));
  const TriePath longest = path(16, ~std::uint64_t{0});
  EXPECT_EQ(longest.nibbles(), ~std::uint64_t{0});
  EXPECT_TRUE(longest.holds(~TrieKey{0}));
  EXPECT_FALSE(longest.holds(~TrieKey{0} - 1));
  EXPECT_EQ(path(15, 0x123456789abcdef).child(3), path(16, 0x123456789abcdef3));
  EXPECT_EQ(TriePath::step(0x123456789abcdef3, 15), 3U);
}

TEST(TriePath, RefusesWhatIsNone) {
  EXPECT_FALSE(TriePath::of(17, 0));
  EXPECT_FALSE(TriePath::of((1ULL << 32) + 1, 0));
  EXPECT_FALSE(TriePath::of(0, 1));
  EXPECT_FALSE(TriePath::of(2, 0x100));
  EXPECT_FALSE(TriePath::of(15, ~std::uint64_t{0}));
  EXPECT_TRUE(TriePath::of(2, 0xff));
}

TEST(TriePath, OrdersAsOneWalksDown) {
  const std::vector<TriePath> walk = {path(0, 0),   path(1, 0),    path(2, 0x00),  path(2, 0x0f),
                                      path(1, 1),   path(2, 0x10), path(3, 0x10f), path(2, 0x11),
                                      path(1, 0xf), path(2, 0xff)};
  EXPECT_TRUE(std::is_sorted(walk.begin(), walk.end()));
}

}  // namespace
}  // namespace dunlin
