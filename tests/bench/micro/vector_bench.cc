// Rows of the version vector: merging what a peer holds, admitting a segment, finding what is
// missing, in a log of so many gaps.
#include <benchmark/benchmark.h>

#include "common/codec/log_state_codec.h"

namespace dunlin::bench {
namespace {

// Every second run of ten entries.
LogState with_gaps(std::int64_t gaps) {
  LogState state;
  for (Seq i = 0; i <= static_cast<Seq>(gaps); ++i) {
    SegmentInfo info;
    info.first = 1 + i * 20, info.last = info.first + 9;
    state.admit(info);
  }
  return state;
}
void once(benchmark::State& state) {
  state.SetItemsProcessed(state.iterations());
}

void vector_merge(benchmark::State& state) {
  const IntervalSet ours = with_gaps(state.range(0)).held();
  IntervalSet theirs = ours.complement({1, *ours.last()});
  for (auto _ : state) {
    IntervalSet merged = ours;
    merged.insert(theirs);
    benchmark::DoNotOptimize(merged);
  }
  once(state);
}
void vector_admit(benchmark::State& state) {
  const LogState before = with_gaps(state.range(0));
  SegmentInfo info;
  info.first = 11, info.last = 20;  // closes the first gap, or is the next
  for (auto _ : state) {
    LogState after = before;
    if (after.fit(info) == LogState::Fit::fresh) after.admit(info);
    benchmark::DoNotOptimize(after);
  }
  once(state);
}
void vector_missing(benchmark::State& state) {
  const LogState log = with_gaps(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(log.missing());
  once(state);
}
void vector_encode(benchmark::State& state) {
  const LogState log = with_gaps(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(encode_log_state(log));
  once(state);
}

BENCHMARK(vector_merge)->Arg(0)->Arg(16)->Arg(256);
BENCHMARK(vector_admit)->Arg(0)->Arg(16)->Arg(256);
BENCHMARK(vector_missing)->Arg(0)->Arg(16)->Arg(256);
BENCHMARK(vector_encode)->Arg(0)->Arg(16)->Arg(256);

}  // namespace
}  // namespace dunlin::bench
