// The digest of so many logs: making it, a change and the roots after it, one step of a walk.
#include <benchmark/benchmark.h>

#include "common/log/digest_trie.h"

namespace dunlin::bench {
namespace {

LogId numbered_log(std::int64_t number) {
  return {{}, Epoch{static_cast<std::uint64_t>(number)}, kSamplesTrack};
}
DigestTrie trie_of(std::int64_t logs) {
  DigestTrie trie;
  for (std::int64_t i = 0; i < logs; ++i)
    trie.set(numbered_log(i), log_digest(numbered_log(i), 1, {}, {}));
  return trie;
}

void digest_build(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(trie_of(state.range(0)).roots());
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
void digest_change(benchmark::State& state) {
  DigestTrie trie = trie_of(state.range(0));
  Seq head = 1;
  for (auto _ : state) {
    const LogId log = numbered_log(static_cast<std::int64_t>(++head) % state.range(0));
    trie.set(log, log_digest(log, head, {}, {}));
    benchmark::DoNotOptimize(trie.roots());
  }
  state.SetItemsProcessed(state.iterations());
}
// As many changes between two digests as a busy fleet has.
void digest_thousand_changes(benchmark::State& state) {
  DigestTrie trie = trie_of(state.range(0));
  Seq head = 1;
  for (auto _ : state) {
    for (int i = 0; i < 1000; ++i) {
      const LogId log = numbered_log(static_cast<std::int64_t>(++head) % state.range(0));
      trie.set(log, log_digest(log, head, {}, {}));
    }
    benchmark::DoNotOptimize(trie.roots());
  }
  state.SetItemsProcessed(state.iterations() * 1000);
}
void digest_differing(benchmark::State& state) {
  const DigestTrie trie = trie_of(state.range(0));
  const auto theirs = trie.children({});
  if (!theirs) return state.SkipWithError("no children");
  for (auto _ : state) benchmark::DoNotOptimize(trie.differing({}, *theirs));
  state.SetItemsProcessed(state.iterations());
}

BENCHMARK(digest_build)->Arg(1000)->Arg(100000);
BENCHMARK(digest_change)->Arg(16)->Arg(1000)->Arg(100000);
BENCHMARK(digest_thousand_changes)->Arg(1000)->Arg(100000);
BENCHMARK(digest_differing)->Arg(16)->Arg(100000);

}  // namespace
}  // namespace dunlin::bench
