#pragma once

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <bit>
#include <cstdlib>

#include "common/codec/cbor.h"
#include "common/log/limits.h"
#include "common/log/log_state.h"

// Random values of the formats for properties (rapidcheck), small ones first. The same values in
// every run; RC_PARAMS="seed=7 max_success=10000" tries others, and what a failure prints as
// `reproduce` repeats it.
namespace dunlin::test {

inline const int kSameValues = ::setenv("RC_PARAMS", "seed=1 max_success=200", 0);

inline std::uint64_t below(std::uint64_t bound) {
  return *rc::gen::inRange<std::uint64_t>(0, bound);
}
inline bool one_in(std::uint64_t n) {
  return below(n) == 0;
}

// Of every length in bits.
inline std::uint64_t any_uint() {
  return (below(1ULL << 32) << 32 | below(1ULL << 32)) >> below(64);
}
inline std::int64_t any_int() {
  return static_cast<std::int64_t>(one_in(2) ? any_uint() : ~any_uint());
}
inline Seq any_seq() {
  return std::clamp<Seq>(any_uint(), 1, kSeqMax);
}

inline Hash any_hash() {
  Hash hash;
  hash.fill(static_cast<std::uint8_t>(below(256)));
  hash[0] = static_cast<std::uint8_t>(below(256));
  return hash;
}

inline Bytes any_bytes(std::uint64_t size_max) {
  return *rc::gen::resize(static_cast<int>(size_max), rc::gen::arbitrary<Bytes>());
}

inline std::string any_text() {
  static const std::vector<std::string> kPieces = {
      "", "a", "ok", "Cel", "gr\u00fcn", "\"", "\u6e29\u5ea6", "\n", "\U0001f426"};
  std::string text;
  for (std::uint64_t n = below(4); n > 0; --n) text += *rc::gen::elementOf(kPieces);
  return text;
}

inline double any_real() {
  static constexpr std::uint64_t kCorners[] = {0,
                                               1ULL << 63,
                                               0x7ff8000000000000,  // the one NaN
                                               0x7ff0000000000000,
                                               1,
                                               0x7fefffffffffffff};
  if (one_in(3)) return std::bit_cast<double>(kCorners[below(std::size(kCorners))]);
  return one_in(2) ? static_cast<double>(any_int()) / 100 : *rc::gen::arbitrary<double>();
}

inline void add_any_cell(Rows& rows, std::uint64_t kind) {
  switch (kind) {
    case 0:
      return rows.add_missing();
    case 1:
      return rows.add_integer(any_int());
    case 2:
      return rows.add_real(any_real());
    case 3:
      return rows.add_boolean(one_in(2));
    default:
      return rows.add_text(any_text());
  }
}

inline Samples any_samples() {
  Samples samples{.stream = any_uint(), .boot = {}, .base = any_int(), .rows = {}};
  if (one_in(3)) samples.boot = any_uint();
  const std::uint64_t size = below(6);
  if (size == 0) return samples;  // as no rows say how many fields there are
  const std::vector<std::uint64_t> kinds = *rc::gen::nonEmpty(rc::gen::resize(
      5, rc::gen::container<std::vector<std::uint64_t>>(rc::gen::inRange<std::uint64_t>(0, 5))));
  samples.rows = Rows(kinds.size());
  for (std::uint64_t row = 0; row < size; ++row) {
    const bool steady = one_in(2);
    const auto step = static_cast<std::int64_t>(row) * 1'000'000;
    samples.rows.begin_row(steady && samples.base < 1LL << 62 ? samples.base + step : any_int());
    // Mostly columns of one kind; at times anything.
    for (const std::uint64_t kind : kinds) add_any_cell(samples.rows, one_in(6) ? below(5) : kind);
  }
  return samples;
}

inline Define any_define() {
  Define define{any_uint(), any_uint(), {any_text(), {}}};
  for (std::uint64_t n = 1 + below(4); n > 0; --n) {
    define.schema.fields.push_back({any_text(), static_cast<FieldType>(below(5)), any_text(),
                                    static_cast<std::uint8_t>(below(19))});
  }
  return define;
}

inline Lost any_lost() {
  Lost lost{Epoch{any_uint()}, Track{any_uint()}, {}};
  Seq last = 0;
  for (std::uint64_t n = below(4); n > 0 && last < kSeqMax; --n) {
    const Seq first = std::min(kSeqMax, last + 1 + (one_in(4) ? any_seq() : below(100)));
    last = std::min(kSeqMax, first + (one_in(4) ? any_seq() : below(100)));
    lost.ranges.push_back({first, last, any_hash(), any_hash(), any_uint()});
  }
  return lost;
}

inline Revoke any_revoke() {
  Revoke revoke;
  revoke.node.bytes.fill(static_cast<std::uint8_t>(below(256)));
  for (std::uint64_t n = below(4); n > 0; --n)
    revoke.ends.push_back({Epoch{any_uint()}, Track{any_uint()}, any_seq(), any_hash()});
  return revoke;
}

// An operation of a version to come: [code, ...], or one known here that has more fields.
inline UnknownOp any_unknown() {
  const bool known = one_in(2);
  UnknownOp op{known ? below(9) : 100 + below(100), {}};
  CborWriter writer(op.cbor);
  const std::uint64_t items = (known ? 6 : 0) + below(3);
  writer.array(1 + items);
  writer.uint(op.code);
  for (std::uint64_t i = 0; i < items; ++i) one_in(2) ? writer.null() : writer.text(any_text());
  return op;
}

inline Op any_op() {
  switch (below(10)) {
    case 0:
      return Open{any_bytes(40), any_text()};
    case 1:
      return Seal{Epoch{any_uint()}, Track{any_uint()}, one_in(4) ? 0 : any_seq(), any_hash()};
    case 2:
      return any_define();
    case 3:
      return any_lost();
    case 4:
      return TimeAnchor{any_uint(), any_text(), any_int(), any_int(), any_uint()};
    case 5:
      return any_unknown();
    case 6:
      return any_revoke();
    default:
      return any_samples();
  }
}

inline Entry any_entry(Seq seq) {
  Entry entry{seq, Hlc{any_uint()}, {}};
  for (std::uint64_t n = below(3); n > 0; --n) entry.ops.push_back(any_op());
  return entry;
}

// One to five that follow each other.
inline std::vector<Entry> any_entries(Seq first) {
  std::vector<Entry> entries;
  for (std::uint64_t n = 1 + below(5); n > 0; --n) entries.push_back(any_entry(first++));
  return entries;
}

inline LogId any_log() {
  NodeId node;
  node.bytes.fill(static_cast<std::uint8_t>(below(256)));
  return {node, Epoch{any_uint()}, Track{below(3)}};
}

inline IntervalSet any_set(Seq max) {
  IntervalSet set;
  for (std::uint64_t n = below(5); n > 0; --n) {
    const Seq first = 1 + below(max);
    set.insert({first, std::min(max, first + below(20))});
  }
  return set;
}

inline LogState any_log_state(const LogId& log) {
  LogState::Parts parts;
  parts.head = any_seq();
  parts.head_hash = any_hash();
  const IntervalSet held = any_set(parts.head);
  for (const Interval& run : held.intervals()) {
    parts.runs.push_back({run.first, run.last, any_hash(), any_hash()});
  }
  parts.lost = any_set(kSeqMax);
  parts.released = any_set(parts.head);
  parts.acked = any_set(parts.head);
  parts.lost_readings = any_uint();
  if (one_in(2)) parts.sealed = {one_in(4) ? 0 : any_seq(), any_hash()};
  return LogState::from_parts(log, std::move(parts));
}

// For formats that have one encoding of every value: what decodes encodes to the same bytes, so
// another byte is another value, and nothing can be left out. `decode` takes bytes, `encode` what
// that gave.
template <typename Decode, typename Encode>
void expect_canonical(const Bytes& bytes, Decode decode, Encode encode) {
  const auto whole = decode(bytes);
  RC_ASSERT(whole.ok());
  RC_ASSERT(encode(*whole) == bytes);
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    const auto cut = decode(ByteView(bytes).first(n));
    RC_ASSERT(!cut.ok());
    RC_ASSERT(cut.error().code == Errc::truncated);
  }
  Bytes flipped = bytes;
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    const auto mask = static_cast<std::uint8_t>(1U << bit % 8);
    flipped[bit / 8] ^= mask;
    const auto other = decode(flipped);
    // Two brackets, or the macro evaluates both sides.
    RC_ASSERT((!other.ok() || encode(*other) == flipped));
    flipped[bit / 8] ^= mask;
  }
}

}  // namespace dunlin::test
