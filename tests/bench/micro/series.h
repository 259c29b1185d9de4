#pragma once

#include <vector>

#include "agent/inputs/greenhouse.h"
#include "common/codec/segment_codec.h"
#include "common/log/chain.h"
#include "tests/simulation/keys.h"

namespace dunlin::bench {

// Consecutive entries of the greenhouse series in their chain, `readings` in each.
class Series {
 public:
  explicit Series(std::size_t readings) : readings_(readings) {}

  Entry next_entry() {
    Samples samples{.stream = 1, .boot = {}, .base = 0, .rows = Rows(4)};
    greenhouse_.next(readings_, samples.rows);
    samples.base = samples.rows.time(0);
    const Hlc hlc = Hlc::of(static_cast<std::uint64_t>(samples.base / 1000), 0);
    return {++last_, hlc, {std::move(samples)}};
  }
  SegmentRecord next_segment() {
    const Hash before = hash_;
    Chain chain;
    hash_ = chain.add(next_entry(), before)->after;
    return build_segments(log_, before, 0, chain, *signer_)->front();
  }
  const LogId& log() const { return log_; }
  Signer& signer() { return *signer_; }

 private:
  std::size_t readings_;
  agent::Greenhouse greenhouse_{{}};
  std::unique_ptr<Signer> signer_ = simulation::light_key(1);
  LogId log_{signer_->node(), Epoch{1}, kSamplesTrack};
  Hash hash_ = chain_start(log_);
  Seq last_ = 0;
};

}  // namespace dunlin::bench
