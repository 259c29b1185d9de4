#include "common/codec/log_state_codec.h"

#include "common/log/limits.h"

namespace dunlin {

void encode_intervals(CborWriter& writer, const IntervalSet& set) {
  writer.array(set.intervals().size() * 2);
  Seq previous = 0;
  for (const Interval& i : set.intervals()) {
    writer.uint(i.first - previous);
    writer.uint(i.last - i.first);
    previous = i.last;
  }
}

Result<IntervalSet> decode_intervals(CborReader& reader) {
  DUNLIN_ASSIGN(const std::uint64_t items, reader.array());
  if (items % 2 != 0) return reader.error(Errc::malformed, "half an interval");
  IntervalSet set;
  Seq previous = 0;
  for (std::uint64_t i = 0; i < items; i += 2) {
    DUNLIN_ASSIGN(const std::uint64_t gap, reader.uint());
    DUNLIN_ASSIGN(const std::uint64_t length, reader.uint());
    const Seq first = previous + gap;
    const Seq last = first + length;
    // Neighbouring intervals would have been one.
    if (gap < (i == 0 ? 1U : 2U) || gap > kSeqMax || length > kSeqMax || last > kSeqMax) {
      return reader.error(Errc::malformed, "intervals out of order");
    }
    set.insert({first, last});
    previous = last;
  }
  return set;
}

Bytes encode_log_state(const LogState& state) {
  Bytes out;
  CborWriter w(out);
  w.array(state.sealed() ? 8 : 7);
  w.uint(state.head()), w.bytes(state.head_hash());
  w.array(state.runs().size());
  for (const LogState::Run& run : state.runs()) {
    w.array(4), w.uint(run.first), w.uint(run.last), w.bytes(run.before), w.bytes(run.after);
  }
  encode_intervals(w, state.lost());
  encode_intervals(w, state.released());
  encode_intervals(w, state.acked());
  w.uint(state.lost_readings());
  if (state.sealed()) w.array(2), w.uint(state.sealed()->last), w.bytes(state.sealed()->hash);
  return out;
}

Result<LogState> decode_log_state(const LogId& log, ByteView bytes) {
  CborReader r(bytes);
  LogState::Parts parts;
  DUNLIN_ASSIGN(const std::uint64_t items, r.array());
  if (items != 7 && items != 8) return r.error(Errc::malformed, "a state of another length");
  DUNLIN_ASSIGN(parts.head, r.uint());
  DUNLIN_TRY(r.bytes_into(parts.head_hash));
  if (parts.head > kSeqMax) return r.error(Errc::malformed, "head beyond 2^62");
  DUNLIN_ASSIGN(const std::uint64_t runs, r.array());
  for (std::uint64_t i = 0; i < runs; ++i) {
    LogState::Run run;
    DUNLIN_TRY(r.array_of(4));
    DUNLIN_ASSIGN(run.first, r.uint());
    DUNLIN_ASSIGN(run.last, r.uint());
    DUNLIN_TRY(r.bytes_into(run.before));
    DUNLIN_TRY(r.bytes_into(run.after));
    const bool joins = !parts.runs.empty() && run.first <= parts.runs.back().last + 1;
    if (run.first == 0 || run.last < run.first || run.last > parts.head || joins) {
      return r.error(Errc::malformed, "runs out of order");
    }
    parts.runs.push_back(run);
  }
  DUNLIN_ASSIGN(parts.lost, decode_intervals(r));
  DUNLIN_ASSIGN(parts.released, decode_intervals(r));
  DUNLIN_ASSIGN(parts.acked, decode_intervals(r));
  DUNLIN_ASSIGN(parts.lost_readings, r.uint());
  if (items == 8) {
    LogState::Sealed& sealed = parts.sealed.emplace();
    DUNLIN_TRY(r.array_of(2));
    DUNLIN_ASSIGN(sealed.last, r.uint());
    DUNLIN_TRY(r.bytes_into(sealed.hash));
    if (sealed.last > kSeqMax) return r.error(Errc::malformed, "seal beyond 2^62");
  }
  DUNLIN_TRY(r.finish());
  return LogState::from_parts(log, std::move(parts));
}

}  // namespace dunlin
