#include "common/log/log_state.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "common/base/random.h"

namespace dunlin {
namespace {

using Fit = LogState::Fit;

// hash(n) of the one true chain; `branch` makes another.
Hash hash_of(Seq seq, std::uint8_t branch = 0) {
  Hash hash;
  hash.fill(static_cast<std::uint8_t>(seq));
  hash[0] = branch;
  return hash;
}

SegmentInfo segment(Seq first, Seq last) {
  SegmentInfo info;
  info.first = first;
  info.last = last;
  info.before = hash_of(first - 1);
  info.after = hash_of(last);
  return info;
}

IntervalSet set_of(std::initializer_list<Interval> intervals) {
  IntervalSet set;
  for (const Interval& interval : intervals) set.insert(interval);
  return set;
}

// The same by plain sets.
struct Model {
  static constexpr Seq kBound = 40;
  std::set<Seq> held, released, lost, acked;
  Seq head = 0;
  std::uint64_t lost_readings = 0;

  Fit fit(const SegmentInfo& info) const {
    bool any_held = false, all_known = true, all_released = true;
    for (Seq s = info.first; s <= info.last; ++s) {
      any_held = any_held || held.contains(s);
      all_known = all_known && (held.contains(s) || released.contains(s));
      all_released = all_released && released.contains(s);
    }
    if (any_held) return all_known ? Fit::covered : Fit::overlaps;
    if (all_released) return Fit::covered;
    if (held.contains(info.last + 1) && info.after != hash_of(info.last)) return Fit::fork;
    if (held.contains(info.first - 1) && info.before != hash_of(info.first - 1)) return Fit::fork;
    return Fit::fresh;
  }

  void expect_same(const LogState& state) const {
    ASSERT_EQ(state.head(), head);
    EXPECT_EQ(state.head_hash(), head == 0 ? Hash{} : hash_of(head));
    const IntervalSet all_held = state.held(), missing = state.missing();
    Seq complete = 0;
    bool whole = true;
    for (Seq s = 1; s <= kBound + 2; ++s) {
      ASSERT_EQ(all_held.contains(s), held.contains(s)) << s;
      ASSERT_EQ(state.released().contains(s), released.contains(s)) << s;
      ASSERT_EQ(state.lost().contains(s), lost.contains(s)) << s;
      ASSERT_EQ(state.acked().contains(s), acked.contains(s)) << s;
      const bool known = held.contains(s) || released.contains(s) || lost.contains(s);
      ASSERT_EQ(missing.contains(s), s <= head && !known) << s;
      whole = whole && known && s <= head;
      if (whole) complete = s;
      const bool starts = held.contains(s) && !held.contains(s - 1);
      const bool ends = held.contains(s) && !held.contains(s + 1);
      const Hash* before = state.hash_before(s);
      const Hash* after = state.hash_after(s);
      ASSERT_EQ(before != nullptr, starts) << s;
      ASSERT_EQ(after != nullptr, ends) << s;
      ASSERT_TRUE(!starts || *before == hash_of(s - 1)) << s;
      ASSERT_TRUE(!ends || *after == hash_of(s)) << s;
    }
    EXPECT_EQ(state.complete(), complete);
    EXPECT_EQ(state.missing_count(), missing.count());
    EXPECT_EQ(state.lost_readings(), lost_readings);
  }
};

class Machine {
 public:
  explicit Machine(std::uint64_t seed) : random_(seed) {}

  void step() {
    switch (random_.below(6)) {
      case 0:
      case 1:
        return admit();
      case 2:
        return fork();
      case 3:
        return release();
      case 4:
        return random_.below(4) == 0 ? roll_back() : acknowledge();
      default:
        return declare_lost();
    }
  }
  void check() const { model_.expect_same(state_); }

 private:
  Interval some_interval() {
    const Seq first = 1 + random_.below(Model::kBound);
    return {first, std::min(Model::kBound, first + random_.below(6))};
  }

  void admit() {
    const Interval interval = some_interval();
    const SegmentInfo info = segment(interval.first, interval.last);
    const Fit fit = state_.fit(info);
    ASSERT_EQ(fit, model_.fit(info));
    if (fit != Fit::fresh && fit != Fit::overlaps) return;
    state_.admit(info);
    for (Seq s = info.first; s <= info.last; ++s) model_.held.insert(s);
    model_.head = std::max(model_.head, info.last);
  }

  void fork() {
    const Interval interval = some_interval();
    SegmentInfo info = segment(interval.first, interval.last);
    if (random_.below(2) == 0) {
      info.before = hash_of(info.first - 1, 1);
    } else {
      info.after = hash_of(info.last, 1);
    }
    EXPECT_EQ(state_.fit(info), model_.fit(info));
  }

  void release() {
    if (state_.runs().empty()) return;
    const LogState::Run run = state_.runs()[random_.below(state_.runs().size())];
    const Seq first = run.first + random_.below(run.last - run.first + 1);
    const Seq last = first + random_.below(run.last - first + 1);
    state_.release({first, last}, hash_of(first - 1), hash_of(last));
    for (Seq s = first; s <= last; ++s) model_.held.erase(s), model_.released.insert(s);
  }

  // Of what is known here: hash(last) is told by nobody else.
  void roll_back() {
    const Seq last = random_.below(model_.head + 1);
    state_.roll_back(last, hash_of(last));
    for (std::set<Seq>* set : {&model_.held, &model_.released, &model_.lost, &model_.acked})
      set->erase(set->upper_bound(last), set->end());
    if (model_.lost.empty()) model_.lost_readings = 0;
    model_.head = last;
  }

  // Gateways may hold more than there is here.
  void acknowledge() {
    const Interval interval = some_interval();
    state_.acknowledge(set_of({interval}));
    model_.acked.clear();
    for (Seq s = interval.first; s <= interval.last; ++s) model_.acked.insert(s);
  }

  void declare_lost() {
    std::vector<LostRange> ranges;
    std::set<Seq> lost;
    for (Seq s = 1 + random_.below(10); s < Model::kBound && ranges.size() < 3;
         s += 3 + random_.below(9)) {
      const Seq last = std::min(Model::kBound, s + random_.below(3));
      ranges.push_back({s, last, hash_of(s - 1), hash_of(last), 2});
      for (Seq t = s; t <= last; ++t) lost.insert(t);
    }
    state_.declare_lost(ranges);
    model_.lost_readings = std::max<std::uint64_t>(model_.lost_readings, 2 * ranges.size());
    model_.lost.insert(lost.begin(), lost.end());
    if (!lost.empty()) model_.head = std::max(model_.head, *lost.rbegin());
  }

  Random random_;
  LogState state_;
  Model model_;
};

TEST(LogState, AgreesWithPlainSetsUnderRandomOperations) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Machine machine(seed);
    for (int i = 0; i < 120; ++i) {
      machine.step();
      machine.check();
      if (testing::Test::HasFailure()) return;
    }
  }
}

TEST(LogState, StartsEmpty) {
  const LogState state;
  EXPECT_EQ(state.head(), 0U);
  EXPECT_EQ(state.complete(), 0U);
  EXPECT_TRUE(state.missing().empty());
  EXPECT_EQ(state.fit(segment(1, 5)), Fit::fresh);
}

TEST(LogState, JoinsRunsAndKeepsTheirEnds) {
  LogState state;
  state.admit(segment(1, 2));
  state.admit(segment(5, 6));
  ASSERT_EQ(state.runs().size(), 2U);
  EXPECT_EQ(state.missing(), set_of({{3, 4}}));
  state.admit(segment(3, 4));
  ASSERT_EQ(state.runs().size(), 1U);
  EXPECT_EQ(state.runs()[0], (LogState::Run{1, 6, hash_of(0), hash_of(6)}));
}

TEST(LogState, CountsItsPiecesAndWhatJoinsOne) {
  LogState state;
  state.admit(segment(4, 5));
  state.admit(segment(10, 12));
  state.release({10, 11}, hash_of(9), hash_of(11));
  EXPECT_EQ(state.pieces(), 3U);
  for (const Interval joining : {Interval{1, 3}, {6, 6}, {5, 9}, {9, 9}, {13, 20}, {1, 20}})
    EXPECT_TRUE(state.joins(joining)) << joining.first;
  for (const Interval other : {Interval{1, 2}, {7, 8}, {14, 20}})
    EXPECT_FALSE(state.joins(other)) << other.first;
}

TEST(LogState, SeesForksAtBothEnds) {
  LogState state;
  state.admit(segment(5, 6));
  SegmentInfo left = segment(3, 4), right = segment(7, 8);
  EXPECT_EQ(state.fit(left), Fit::fresh);
  left.after = hash_of(4, 1);
  EXPECT_EQ(state.fit(left), Fit::fork);
  EXPECT_EQ(state.fit(right), Fit::fresh);
  right.before = hash_of(6, 1);
  EXPECT_EQ(state.fit(right), Fit::fork);
}

TEST(LogState, WhatIsLostMayStillTurnUp) {
  LogState state;
  state.admit(segment(1, 2));
  state.declare_lost({{3, 5, hash_of(2), hash_of(5), 9}});
  EXPECT_EQ(state.head(), 5U);
  EXPECT_EQ(state.complete(), 5U);
  state.admit(segment(4, 4));
  EXPECT_TRUE(state.held().contains(4));
  EXPECT_TRUE(state.lost().contains(4));
}

TEST(LogState, DeclarationsComeInAnyOrder) {
  const std::vector<LostRange> earlier{{1, 5, hash_of(0), hash_of(5), 9}};
  const std::vector<LostRange> later{{1, 7, hash_of(0), hash_of(7), 12}};
  LogState forth;
  forth.declare_lost(earlier);
  forth.declare_lost(later);
  LogState back;
  back.declare_lost(later);
  back.declare_lost(earlier);
  EXPECT_EQ(forth, back);
  EXPECT_EQ(back.lost(), set_of({{1, 7}}));
  EXPECT_EQ(back.lost_readings(), 12U);
}

TEST(LogState, WhatIsRolledBackComesAnew) {
  LogState whole, again;
  whole.admit(segment(1, 4));
  again.admit(segment(1, 6));
  again.admit(segment(9, 10));
  again.declare_lost({{7, 8, hash_of(6), hash_of(8), 3}});
  again.acknowledge(set_of({{12, 13}}));
  again.roll_back(4, hash_of(4));
  EXPECT_EQ(again, whole);
  again.admit(segment(5, 6));
  EXPECT_EQ(again.runs(), (std::vector<LogState::Run>{{1, 6, hash_of(0), hash_of(6)}}));
  again.roll_back(0, hash_of(0));
  EXPECT_EQ(again, LogState());
}

TEST(LogState, NothingBehindTheHeadIsRolledBack) {
  LogState state;
  state.admit(segment(1, 4));
  state.acknowledge(set_of({{1, 9}}));
  state.roll_back(6, hash_of(6));
  EXPECT_EQ(state.head(), 4U);
  EXPECT_EQ(state.head_hash(), hash_of(4));
  EXPECT_EQ(state.acked(), set_of({{1, 6}}));
}

TEST(LogState, TheSealThatSaysMostCounts) {
  LogState state;
  EXPECT_FALSE(state.sealed());
  state.seal(0, hash_of(0));
  state.seal(5, hash_of(5));
  state.seal(5, hash_of(5, 1));
  state.seal(3, hash_of(3));
  state.roll_back(2, hash_of(2));
  EXPECT_EQ(state.sealed(), (LogState::Sealed{5, hash_of(5)}));
}

TEST(LogState, TheLatestAcknowledgementCounts) {
  LogState state;
  state.acknowledge(set_of({{1, 3}}));
  state.acknowledge(set_of({{4, 4}, {7, 8}}));
  EXPECT_EQ(state.acked(), set_of({{4, 4}, {7, 8}}));
}

}  // namespace
}  // namespace dunlin
