#include "common/storage/compaction.h"

#include <gtest/gtest.h>

#include "common/base/random.h"
#include "common/log/limits.h"

namespace dunlin::storage {
namespace {

constexpr std::size_t kFanIn = 64;
constexpr std::int64_t kMinute = 60'000'000;

// Segments of a log as they are appended.
class Spans {
 public:
  Spans& add(std::size_t n, std::uint64_t bytes = 250, std::uint64_t entries = 1,
             std::uint64_t readings = 1) {
    for (std::size_t i = 0; i < n; ++i) {
      const auto at = static_cast<std::int64_t>(next_) * kMinute;
      const auto end = static_cast<std::int64_t>(next_ + entries - 1) * kMinute;
      all.push_back({++id_, next_, next_ + entries - 1, bytes, readings, at, end});
      next_ += entries;
    }
    return *this;
  }
  Spans& large() { return add(1, 20'000, 500, 5000); }
  Spans& gap() { return next_ += 10, *this; }

  std::vector<StoredSpan> all;

 private:
  std::int64_t id_ = 0;
  Seq next_ = 1;
};

MergeChoice choose(const Spans& spans, bool tail = true, std::optional<Duration> span_max = {}) {
  return choose_merge(spans.all, tail, kFanIn, span_max);
}
std::pair<std::size_t, std::size_t> range(const MergeChoice& choice) {
  return {choice.begin, choice.end};
}
using Range = std::pair<std::size_t, std::size_t>;

TEST(ChooseMerge, WaitsUntilEnoughHaveGathered) {
  const MergeChoice few = choose(Spans().large().add(63));
  EXPECT_EQ(few.begin, few.end);
  EXPECT_EQ(few.resume, 501U);
  EXPECT_EQ(range(choose(Spans().large().add(64))), (Range{1, 65}));
  // Thirty of 1200 bytes fill a segment.
  EXPECT_EQ(range(choose(Spans().large().add(40, 1200, 1, 200))), (Range{1, 33}));
}

TEST(ChooseMerge, LeavesLargeOnesAndWhatIsAlone) {
  const MergeChoice none = choose(Spans().large().large().add(1).large());
  EXPECT_EQ(none.begin, none.end);
  EXPECT_EQ(none.resume, 1502U);
  // Many entries of nearly nothing are large, too.
  const MergeChoice idle = choose(Spans().add(100, 2000, kSegmentEntriesMax / 4, 1024));
  EXPECT_EQ(idle.begin, idle.end);
}

TEST(ChooseMerge, RunsThatCannotGrowNeedFewer) {
  EXPECT_EQ(range(choose(Spans().add(8).large().add(5))), (Range{0, 8}));
  EXPECT_EQ(range(choose(Spans().add(7).large().add(5))), (Range{0, 0}));
  EXPECT_EQ(range(choose(Spans().large().add(10).gap().add(5))), (Range{1, 11}));
}

TEST(ChooseMerge, NeverReachesOverAGap) {
  EXPECT_EQ(range(choose(Spans().add(40).gap().add(40))), (Range{0, 40}));
  EXPECT_EQ(range(choose(Spans().add(5).gap().add(63))), (Range{0, 0}));
}

TEST(ChooseMerge, OwnOnesMergeByWhetherAGatewayHoldsThem) {
  Spans spans;
  spans.add(110);
  for (std::size_t i = 0; i < 70; ++i) spans.all[i].acked = i != 40;
  spans.all[40].on_its_way = true;
  const MergeChoice waits = choose(spans);
  EXPECT_EQ(range(waits), (Range{0, 0}));
  EXPECT_EQ(waits.resume, 1U);  // to be seen again
  spans.all[40].acked = true, spans.all[40].on_its_way = false;
  EXPECT_EQ(range(choose(spans)), (Range{0, 70}));
  for (StoredSpan& span : spans.all) span.acked = false;
  EXPECT_EQ(range(choose(spans)), (Range{0, 110}));
}

TEST(ChooseMerge, TakesInWhatIsNoHeavier) {
  EXPECT_EQ(range(choose(Spans().add(1, 600, 64, 64).add(64))), (Range{0, 65}));
  EXPECT_EQ(range(choose(Spans().add(1, 900, 128, 128).add(64))), (Range{1, 65}));
  EXPECT_EQ(range(choose(Spans().add(1, 900, 128, 128).add(1, 600, 64, 64).add(64))),
            (Range{0, 66}));
}

TEST(ChooseMerge, KeepsToTheLimits) {
  Spans many;
  many.add(30, 3000, 900, 900);
  const MergeChoice by_entries = choose(many.add(64));
  std::uint64_t entries = 0;
  for (std::size_t i = by_entries.begin; i < by_entries.end; ++i) entries += many.all[i].entries();
  EXPECT_GE(by_entries.end - by_entries.begin, 2U);
  EXPECT_LE(entries, kSegmentEntriesMax);
  // A minute apart, an hour at most.
  EXPECT_EQ(range(choose(Spans().add(200), true, std::chrono::minutes(60))), (Range{0, 61}));
  const MergeChoice apart = choose(Spans().add(200), true, std::chrono::seconds(30));
  EXPECT_EQ(apart.begin, apart.end);
}

TEST(ChooseMerge, ARunThatTheWindowCutsIsSeenAsAWhole) {
  const MergeChoice cut = choose(Spans().large().add(100), false);
  EXPECT_EQ(cut.begin, cut.end);
  EXPECT_EQ(cut.resume, 501U);
  EXPECT_EQ(range(choose(Spans().add(100), false)), (Range{0, 100}));
  EXPECT_GT(choose(Spans().add(10), false).resume, 1U);  // and the look goes on
}

// Appends and merges in turn, as a store does it: what is left is short, and each reading was
// rewritten a few times.
TEST(ChooseMerge, SizesGrowAsInABinaryCounter) {
  Random random(5);
  std::vector<StoredSpan> spans;
  Seq next = 1;
  std::uint64_t readings = 0;
  std::uint64_t rewritten = 0;
  std::uint64_t merges = 0;
  for (int n = 0; n < 40'000; ++n) {
    const std::uint64_t rows = 1 + random.below(3);
    spans.push_back({n, next, next, 200 + 20 * rows, rows, 0, 0});
    next += 1, readings += rows;
    if (n % static_cast<int>(kFanIn) != 0) continue;
    while (true) {
      const MergeChoice choice = choose_merge(spans, true, kFanIn, {});
      if (choice.begin == choice.end) break;
      StoredSpan merged = spans[choice.begin];
      merged.last = spans[choice.end - 1].last;
      merged.readings = 0;
      for (std::size_t i = choice.begin; i < choice.end; ++i) merged.readings += spans[i].readings;
      merged.bytes = 200 + 4 * merged.readings;
      rewritten += merged.readings, merges += 1;
      const auto at = spans.begin() + static_cast<std::ptrdiff_t>(choice.begin);
      spans.erase(at, spans.begin() + static_cast<std::ptrdiff_t>(choice.end));
      spans.insert(spans.begin() + static_cast<std::ptrdiff_t>(choice.begin), merged);
    }
  }
  EXPECT_LT(rewritten, readings * 7);
  EXPECT_LT(merges, 40'000 / kFanIn + 100);
  std::size_t small = 0;
  for (const StoredSpan& span : spans) small += span.small();
  EXPECT_LT(small, 2 * kFanIn);
  EXPECT_LT(spans.size(), 250U);
}

TEST(Contained, InsideAnother) {
  const auto span = [](Seq first, Seq last) { return StoredSpan{1, first, last, 250, 1, 0, 0}; };
  using Found = std::vector<std::size_t>;
  EXPECT_EQ(contained(std::vector{span(1, 1), span(2, 5), span(6, 9)}), Found{});
  EXPECT_EQ(contained(std::vector{span(1, 3), span(1, 9), span(4, 9), span(5, 5), span(10, 11)}),
            (Found{0, 2, 3}));
  EXPECT_EQ(contained(std::vector{span(1, 5), span(4, 9)}), Found{});
}

TEST(CompactionQueue, ALogIsDueWhenSmallOnesWereStored) {
  const LogId log{{}, Epoch{1}, kSamplesTrack};
  CompactionQueue queue(4);
  for (int n = 1; n <= 3; ++n) queue.stored(log, static_cast<Seq>(n), 250);
  queue.stored(log, 4, 20'000);
  EXPECT_EQ(queue.next(), nullptr);
  queue.stored(log, 5, 250);
  ASSERT_NE(queue.next(), nullptr);
  EXPECT_EQ(*queue.next(), log);
  queue.looked(log, 9000, true);
  EXPECT_EQ(queue.next(), nullptr);
  EXPECT_EQ(queue.from(log), 9000U);
  for (int n = 0; n < 4; ++n) queue.stored(log, 8000, 250);  // backfill
  EXPECT_NE(queue.next(), nullptr);
  EXPECT_EQ(queue.from(log), 8000 - kSegmentEntriesMax);
}

TEST(CompactionQueue, LooksAgainFromWhereALogWasRolledBack) {
  const LogId log{{}, Epoch{1}, kSamplesTrack};
  CompactionQueue queue(4);
  queue.looked(log, 900, true);
  queue.rolled_back(log, 1000);
  EXPECT_EQ(queue.from(log), 900U);
  queue.rolled_back(log, 700);
  EXPECT_EQ(queue.from(log), 701U);
}

TEST(CompactionQueue, ALogOfSmallSegmentsIsDueAtTheStart) {
  CompactionQueue queue(4);
  queue.add({{}, Epoch{1}, kSamplesTrack}, 3, 750);
  queue.add({{}, Epoch{2}, kSamplesTrack}, 1000, 20'000'000);
  EXPECT_EQ(queue.next(), nullptr);
  queue.add({{}, Epoch{3}, kSamplesTrack}, 100, 25'000);
  ASSERT_NE(queue.next(), nullptr);
  EXPECT_EQ(queue.next()->epoch, Epoch{3});
}

}  // namespace
}  // namespace dunlin::storage
