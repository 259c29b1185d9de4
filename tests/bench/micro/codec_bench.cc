// Per reading: columns, segments (with zstd and the chain, without signing), canonical CBOR,
// hashes.
#include <benchmark/benchmark.h>

#include "common/codec/columns.h"
#include "common/codec/entry_codec.h"
#include "tests/bench/micro/series.h"

namespace dunlin::bench {
namespace {

void per_reading(benchmark::State& state) {
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
std::size_t readings(const benchmark::State& state) {
  return static_cast<std::size_t>(state.range(0));
}

void columns_encode(benchmark::State& state) {
  const std::vector<Entry> entries = {Series(readings(state)).next_entry()};
  for (auto _ : state) benchmark::DoNotOptimize(encode_columns(entries));
  per_reading(state);
}
void columns_decode(benchmark::State& state) {
  const Bytes bytes = encode_columns(std::vector<Entry>{Series(readings(state)).next_entry()});
  for (auto _ : state) benchmark::DoNotOptimize(decode_columns(bytes, 1, 1));
  per_reading(state);
}
void segment_encode(benchmark::State& state) {
  Series series(readings(state));
  Chain chain;
  if (!chain.add(series.next_entry(), chain_start(series.log())).ok()) return;
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        build_segments(series.log(), chain_start(series.log()), 0, chain, series.signer()));
  }
  per_reading(state);
}
void segment_decode(benchmark::State& state) {
  const SegmentRecord segment = Series(readings(state)).next_segment();
  for (auto _ : state) benchmark::DoNotOptimize(decode_segment(*parse_segment(*segment.bytes)));
  per_reading(state);
}
void cbor_encode(benchmark::State& state) {
  const Entry entry = Series(readings(state)).next_entry();
  for (auto _ : state) benchmark::DoNotOptimize(encode_entry(entry));
  per_reading(state);
}
void cbor_decode(benchmark::State& state) {
  const Bytes bytes = encode_entry(Series(readings(state)).next_entry());
  for (auto _ : state) benchmark::DoNotOptimize(decode_entry(bytes));
  per_reading(state);
}
void chain_hash(benchmark::State& state) {
  const Entry entry = Series(readings(state)).next_entry();
  Bytes scratch;
  Hash hash{};
  for (auto _ : state) hash = chain_next(hash, entry_digest(entry, scratch));
  benchmark::DoNotOptimize(hash);
  per_reading(state);
}

BENCHMARK(columns_encode)->Arg(1)->Arg(100)->Arg(1000);
BENCHMARK(columns_decode)->Arg(1)->Arg(100)->Arg(1000);
BENCHMARK(segment_encode)->Arg(1)->Arg(100)->Arg(1000);
BENCHMARK(segment_decode)->Arg(1)->Arg(100)->Arg(1000);
BENCHMARK(cbor_encode)->Arg(1)->Arg(1000);
BENCHMARK(cbor_decode)->Arg(1)->Arg(1000);
BENCHMARK(chain_hash)->Arg(1)->Arg(1000);

}  // namespace
}  // namespace dunlin::bench
