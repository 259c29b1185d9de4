#pragma once

#include <memory>
#include <vector>

#include "common/codec/segment_codec.h"
#include "common/log/chain.h"
#include "tests/simulation/keys.h"

namespace dunlin::fuzz {

// Another node with logs of its own, made once: track 0 of two entries, a samples track of eight.
struct ForeignNode {
  explicit ForeignNode(std::uint64_t number) : signer(simulation::light_key(number)) {
    StreamSchema schema{"air", {{"t", FieldType::int64, "", 0}}};
    const LogId control{signer->node(), kEpoch, kControlTrack};
    const LogId samples{signer->node(), kEpoch, kSamplesTrack};
    add(control, 0,
        {{1, Hlc::of(1'760'000'000'000, 0), {Open{signer->public_key(), "other"}}},
         {2, Hlc::of(1'760'000'000'001, 0), {Define{1, 1, schema}}}});
    std::vector<Entry> entries;
    for (Seq seq = 1; seq <= 8; ++seq) entries.push_back(reading(seq, 20));
    add(samples, 2, entries);
    for (Seq seq = 5; seq <= 8; ++seq) entries[seq - 1] = reading(seq, 99);  // another branch
    add(samples, 2, entries);
  }

  static constexpr Epoch kEpoch{7};
  std::unique_ptr<Signer> signer;
  // Each entry alone, all in one, and halves; from fork to fork the same entries more than once.
  std::vector<std::shared_ptr<const Bytes>> segments;

 private:
  static Entry reading(Seq seq, std::int64_t value) {
    Samples samples{.stream = 1, .boot = {}, .base = 1'760'000'000'000'000, .rows = Rows(1)};
    samples.rows.begin_row(samples.base + static_cast<std::int64_t>(seq));
    samples.rows.add_integer(value);
    return {seq, Hlc::of(1'760'000'000'001 + seq, 0), {std::move(samples)}};
  }

  void add(const LogId& log, Seq needs, const std::vector<Entry>& entries) {
    Chain chain;
    std::vector<Hash> before = {chain_start(log)};
    for (const Entry& entry : entries) before.push_back(chain.add(entry, before.back())->after);
    const ChainView all = chain;
    const auto build = [&](std::size_t from, std::size_t count) {
      const auto built =
          build_segments(log, before[from], needs, all.from(from).first(count), *signer);
      segments.push_back(built->front().bytes);
    };
    for (std::size_t i = 0; i < entries.size(); ++i) build(i, 1);
    build(0, entries.size());
    build(0, entries.size() / 2);
    build(entries.size() / 2, entries.size() - entries.size() / 2);
  }
};

}  // namespace dunlin::fuzz
