#include "common/replication/lost_ranges.h"

#include <gtest/gtest.h>

namespace dunlin::replication {
namespace {

Hash hash(Seq seq) {
  Hash out{};
  out[0] = static_cast<std::uint8_t>(seq);
  return out;
}
// Ten readings an entry.
LostRange range(Seq first, Seq last) {
  return {first, last, hash(first - 1), hash(last), 10 * (last - first + 1)};
}
std::vector<LostRange> after(std::vector<LostRange> lost, const LostRange& more) {
  add_lost(lost, more);
  return lost;
}
using Ranges = std::vector<LostRange>;

TEST(LostRanges, StaySortedAndApart) {
  EXPECT_EQ(after({}, range(4, 6)), (Ranges{range(4, 6)}));
  EXPECT_EQ(after({range(4, 6)}, range(9, 9)), (Ranges{range(4, 6), range(9, 9)}));
  EXPECT_EQ(after({range(4, 6), range(9, 9)}, range(1, 2)),
            (Ranges{range(1, 2), range(4, 6), range(9, 9)}));
}

TEST(LostRanges, NeighboursJoin) {
  EXPECT_EQ(after({range(4, 6)}, range(7, 9)), (Ranges{range(4, 9)}));
  EXPECT_EQ(after({range(4, 6)}, range(1, 3)), (Ranges{range(1, 6)}));
  EXPECT_EQ(after({range(1, 3), range(5, 6), range(9, 9)}, range(4, 4)),
            (Ranges{range(1, 6), range(9, 9)}));
}

TEST(LostRanges, WhatIsNamedAgainCountsOnce) {
  EXPECT_EQ(after({range(3, 7)}, range(3, 7)), (Ranges{range(3, 7)}));
  EXPECT_EQ(after({range(3, 7)}, range(4, 5)), (Ranges{range(3, 7)}));
  EXPECT_EQ(after({range(1, 1), range(3, 4), range(6, 7)}, range(3, 9)),
            (Ranges{range(1, 1), range(3, 9)}));
}

TEST(LostRanges, FewAreKept) {
  const Ranges all{range(1, 2), range(4, 4), range(6, 6), range(9, 9)};
  Ranges lost = all;
  bound_lost(lost, {}, 4);
  EXPECT_EQ(lost, all);
  IntervalSet held;
  held.insert({3, 3});
  bound_lost(lost, held, 3);
  EXPECT_EQ(lost, (Ranges{range(1, 2), {4, 6, hash(3), hash(6), 20}, range(9, 9)}));
  bound_lost(lost, held, 2);
  EXPECT_EQ(lost, (Ranges{range(1, 2), {4, 9, hash(3), hash(9), 30}}));
  bound_lost(lost, held, 1);
  EXPECT_EQ(lost, (Ranges{{1, 9, hash(0), hash(9), 50}}));
}

}  // namespace
}  // namespace dunlin::replication
