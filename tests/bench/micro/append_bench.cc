// What an append costs: per reading in the replica (without signing and disk), per entry in SQLite.
#include <benchmark/benchmark.h>

#include "common/replication/replica.h"
#include "common/storage/log_store.h"
#include "tests/bench/micro/series.h"
#include "tests/support/temp_dir.h"

namespace dunlin::bench {
namespace {

using namespace replication;

void replica_append(benchmark::State& state) {
  const auto batch = static_cast<std::size_t>(state.range(0));
  const std::unique_ptr<Signer> signer = simulation::light_key(1);
  const std::unique_ptr<Verifier> verifier = simulation::make_light_verifier();
  Replica replica({}, Nonce{1}, *signer, *verifier);
  Moment now{Instant(std::chrono::hours(1)), kEarliestPlausibleUtc, true};
  if (!replica.start(now, {}).ok()) return state.SkipWithError("does not start");
  agent::Greenhouse greenhouse({});
  Rows rows(4);
  greenhouse.next(batch, rows);
  Ticket ticket = 0, durable = 0;
  for (auto _ : state) {
    now.mono += std::chrono::milliseconds(3);  // a write may begin
    const Append append{agent::Greenhouse::schema(), rows, false, ++ticket};
    if (!replica.step(now, append).ok()) return state.SkipWithError("refused");
    if (!replica.step(now, Flush{}).ok()) return state.SkipWithError("not flushed");
    while (const std::optional<Output> output = replica.poll()) {
      if (const auto* done = std::get_if<Durable>(&*output)) durable = done->ticket;
      const auto* write = std::get_if<Write>(&*output);
      if (write == nullptr) continue;
      const std::vector<WriteOutcome> outcomes(write->segments.size());
      if (!replica.step(now, WriteFinished{write->token, outcomes}).ok()) return;
    }
  }
  if (durable + 1 < ticket) return state.SkipWithError("not durable");
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void store_commit(benchmark::State& state) {
  const test::TempDir folder;
  Series series(static_cast<std::size_t>(state.range(0)));
  const std::unique_ptr<Verifier> verifier = simulation::make_light_verifier();
  auto store = storage::LogStore::open(
      {.path = folder.path().string() + "/log.db", .fresh_epoch = series.log().epoch},
      series.log().node, *verifier, nullptr);
  if (!store.ok()) return state.SkipWithError(store.error().message().c_str());
  for (auto _ : state) {
    state.PauseTiming();
    const Changes changes{.segments = {series.next_segment()}};
    state.ResumeTiming();
    const auto outcomes = store->commit(changes);
    if (!outcomes.ok()) return state.SkipWithError(outcomes.error().message().c_str());
  }
  state.SetItemsProcessed(state.iterations());
}

BENCHMARK(replica_append)->Arg(1)->Arg(100)->Arg(1000);
BENCHMARK(store_commit)->Arg(1)->Arg(1000)->UseRealTime();

}  // namespace
}  // namespace dunlin::bench
