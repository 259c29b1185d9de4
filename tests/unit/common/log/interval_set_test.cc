#include "common/log/interval_set.h"

#include <gtest/gtest.h>

#include <set>

#include "common/base/random.h"

namespace dunlin {
namespace {

constexpr Seq kMax = ~Seq{0};

IntervalSet set_of(std::initializer_list<Interval> intervals) {
  IntervalSet set;
  for (const Interval& interval : intervals) set.insert(interval);
  return set;
}

void expect_same(const IntervalSet& set, const std::set<Seq>& model, Seq bound) {
  EXPECT_EQ(set.count(), model.size());
  EXPECT_EQ(set.empty(), model.empty());
  for (Seq seq = 0; seq <= bound; ++seq) ASSERT_EQ(set.contains(seq), model.contains(seq)) << seq;
  const auto& intervals = set.intervals();
  for (std::size_t i = 0; i < intervals.size(); ++i) {
    ASSERT_LE(intervals[i].first, intervals[i].last);
    if (i == 0) continue;
    ASSERT_GT(intervals[i].first, intervals[i - 1].last + 1);
  }
  if (model.empty()) {
    EXPECT_FALSE(set.first() || set.last());
  } else {
    EXPECT_EQ(set.first(), *model.begin());
    EXPECT_EQ(set.last(), *model.rbegin());
  }
  Seq prefix = 0;
  while (model.contains(prefix + 1)) ++prefix;
  EXPECT_EQ(set.prefix(), model.contains(0) ? set.prefix() : prefix);
}

TEST(IntervalSet, AgreesWithAPlainSetUnderRandomOperations) {
  constexpr Seq kBound = 60;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    IntervalSet set;
    std::set<Seq> model;
    for (int step = 0; step < 200; ++step) {
      const Seq first = 1 + random.below(kBound);
      const Interval interval{first, std::min(kBound, first + random.below(8))};
      if (random.below(2) == 0) {
        set.insert(interval);
        for (Seq s = interval.first; s <= interval.last; ++s) model.insert(s);
      } else {
        set.erase(interval);
        for (Seq s = interval.first; s <= interval.last; ++s) model.erase(s);
      }
      expect_same(set, model, kBound + 1);

      const Seq probe = 1 + random.below(kBound);
      const Interval within{probe, probe + random.below(20)};
      std::set<Seq> rest;
      bool all = true, any = false;
      for (Seq s = within.first; s <= within.last; ++s) {
        all = all && model.contains(s);
        any = any || model.contains(s);
        if (!model.contains(s)) rest.insert(s);
      }
      EXPECT_EQ(set.contains(within), all);
      EXPECT_EQ(set.intersects(within), any);
      expect_same(set.complement(within), rest, kBound + 30);
      if (testing::Test::HasFailure()) return;
    }
  }
}

TEST(IntervalSet, JoinsNeighbours) {
  IntervalSet set = set_of({{1, 2}, {6, 7}, {4, 4}});
  EXPECT_EQ(set.intervals().size(), 3U);
  set.insert({3, 3});
  EXPECT_EQ(set, set_of({{1, 4}, {6, 7}}));
  set.insert({5, 5});
  EXPECT_EQ(set, set_of({{1, 7}}));
}

TEST(IntervalSet, SetsInsertAndEraseEachOther) {
  IntervalSet set = set_of({{1, 10}});
  set.erase(set_of({{2, 3}, {7, 12}}));
  EXPECT_EQ(set, set_of({{1, 1}, {4, 6}}));
  set.insert(set_of({{2, 2}, {20, 21}}));
  EXPECT_EQ(set, set_of({{1, 2}, {4, 6}, {20, 21}}));
}

TEST(IntervalSet, AgreesWithAPlainSetUnderOperationsWithSets) {
  constexpr Seq kBound = 60;
  Random random(7);
  const auto some = [&](Seq spread) {
    IntervalSet set;
    for (Seq first = random.below(spread); first <= kBound; first += 2 + random.below(spread))
      set.insert({first, std::min(kBound, first + random.below(spread))});
    return set;
  };
  for (int step = 0; step < 2000; ++step) {
    const IntervalSet one = some(8), other = some(12);
    std::set<Seq> both, left;
    for (Seq seq = 0; seq <= kBound; ++seq) {
      if (one.contains(seq) || other.contains(seq)) both.insert(seq);
      if (one.contains(seq) && !other.contains(seq)) left.insert(seq);
    }
    IntervalSet sum = one, difference = one;
    sum.insert(other);
    difference.erase(other);
    expect_same(sum, both, kBound + 1);
    expect_same(difference, left, kBound + 1);
    Seq absent = random.below(kBound);
    const Seq found = one.first_absent(absent);
    while (one.contains(absent)) ++absent;
    ASSERT_EQ(found, absent);
  }
}

TEST(IntervalSet, ReachesTheLastSequenceNumberWithoutWrapping) {
  IntervalSet set = set_of({{0, 0}, {kMax - 1, kMax}});
  EXPECT_TRUE(set.contains(kMax));
  EXPECT_TRUE(set.contains(Seq{0}));
  set.insert({kMax, kMax});
  EXPECT_EQ(set.intervals().size(), 2U);
  EXPECT_EQ(set.complement({kMax - 2, kMax}), set_of({{kMax - 2, kMax - 2}}));
  set.erase({kMax, kMax});
  EXPECT_EQ(set.last(), kMax - 1);
  set.insert({1, kMax});
  EXPECT_EQ(set, set_of({{0, kMax}}));
  EXPECT_TRUE(set.complement({0, kMax}).empty());
}

TEST(IntervalSet, ComplementOfNothingIsEverything) {
  EXPECT_EQ(IntervalSet().complement({5, 9}), set_of({{5, 9}}));
  EXPECT_TRUE(IntervalSet().complement({9, 5}).empty());
  EXPECT_EQ(IntervalSet().prefix(), 0U);
  EXPECT_EQ(set_of({{2, 9}}).prefix(), 0U);
  EXPECT_EQ(set_of({{1, 9}, {11, 12}}).prefix(), 9U);
}

}  // namespace
}  // namespace dunlin
