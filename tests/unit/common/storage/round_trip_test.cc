// Whatever track 0 of a node says, a store that took it opens again and reads it back.
#include "common/log/chain.h"
#include "common/storage/log_store.h"
#include "common/storage/query.h"
#include "tests/simulation/keys.h"
#include "tests/support/generators.h"
#include "tests/support/temp_dir.h"

namespace dunlin::storage {
namespace {

// A control segment as somebody wrote it, whom nobody asked what is sensible.
std::optional<SegmentRecord> any_control(Signer& signer, Epoch epoch) {
  const LogId log{signer.node(), epoch, kControlTrack};
  Chain chain;
  Hash hash = chain_start(log);
  const std::uint64_t entries = 1 + test::below(3);
  for (Seq seq = 1; seq <= entries; ++seq) {
    Entry entry{seq, Hlc{test::any_uint()}, {}};
    if (seq == 1) entry.ops.push_back(Open{signer.public_key(), test::any_text()});
    for (std::uint64_t n = test::below(4); n > 0; --n) {
      Op op = test::any_op();
      // What was not bounded by its reader: any 64 bits.
      if (auto* seal = std::get_if<Seal>(&op); seal && test::one_in(4)) seal->last = ~Seq{0};
      if (!std::holds_alternative<Open>(op)) entry.ops.push_back(std::move(op));
    }
    hash = chain.add(std::move(entry), hash)->after;
  }
  const auto built = build_segments(log, chain_start(log), 0, chain, signer);
  RC_ASSERT((built.ok() && built->size() == 1U));
  const Result<DecodedSegment> decoded = decode_segment(*parse_segment(*built->front().bytes));
  if (!decoded.ok()) return std::nullopt;  // nobody would store it
  return SegmentRecord{decoded->info, built->front().bytes, decoded->entries};
}

RC_GTEST_PROP(StorageRoundTrip, WhatControlSaysReadsBack, ()) {
  static const std::unique_ptr<Signer> kOwn = simulation::light_key(1);
  static const std::unique_ptr<Signer> kOther = simulation::light_key(2);
  static const std::unique_ptr<Verifier> kVerifier = simulation::make_light_verifier();
  const test::TempDir folder;
  const LogStore::Options options{
      .path = folder.file("log.db"), .fresh_epoch = Epoch{77}, .authority = kOther->node()};
  std::vector<LogState> states;
  {
    Result<LogStore> store = LogStore::open(options, kOwn->node(), *kVerifier, nullptr);
    RC_ASSERT(store.ok());
    for (std::uint64_t epoch = 1; epoch <= 3; ++epoch) {
      const std::optional<SegmentRecord> segment = any_control(*kOther, Epoch{epoch});
      if (segment) RC_ASSERT(store->commit({.segments = {*segment}}).ok());
    }
    states = store->load()->logs;
  }
  Result<LogStore> again = LogStore::open(options, kOwn->node(), *kVerifier, nullptr);
  RC_ASSERT(again.ok());
  RC_ASSERT(again->load()->logs == states);
  RC_ASSERT(Reader::open(options.path)->query("SELECT count(*) FROM streams").ok());
}

}  // namespace
}  // namespace dunlin::storage
