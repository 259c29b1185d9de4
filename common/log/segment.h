#pragma once

#include <memory>
#include <vector>

#include "common/base/time.h"
#include "common/log/entry.h"
#include "common/log/interval_set.h"
#include "common/log/signer.h"

namespace dunlin {

enum class PayloadCodec : std::uint64_t { columns = 1, columns_zstd = 2 };

// An encoding of consecutive entries [first, last] of one log: what is stored, sent and verified.
// These are the fields as they stand in the bytes; nothing is believed before verification.
struct SegmentHeader {
  LogId log;
  Seq first = 0;
  Seq last = 0;
  Hash before{};  // hash(first - 1)
  Seq needs = 0;  // the track-0 sequence needed to understand this segment; 0 on track 0
  PayloadCodec codec = PayloadCodec::columns;
  std::uint64_t payload_size = 0;  // decoded
  ByteView payload;                // points into the encoded segment
  Signature signature{};           // of head_statement(log, last, hash(last))
};

// When the readings of one boot whose UTC is unknown were taken, in microseconds since it.
struct BootSpan {
  std::uint64_t boot = 0;
  std::int64_t low = 0;
  std::int64_t high = 0;
  bool operator==(const BootSpan&) const = default;
};
// Of a segment with more boots than that only the times are told: any.
inline constexpr std::size_t kBootSpansMax = 64;

// What storage and replication need of a segment that was verified, or written by us, so that
// nobody decodes it again to handle it.
struct SegmentInfo {
  LogId log;
  Seq first = 0;
  Seq last = 0;
  Hash before{};
  Hash after{};  // hash(last)
  Seq needs = 0;
  Hlc hlc_last;  // of the last entry
  std::uint64_t readings = 0;
  std::vector<std::uint64_t> streams;  // Define::id of every Samples inside, ascending
  UtcMicros time_min = 0;  // of readings whose UTC is known; max < min when there are none
  UtcMicros time_max = -1;
  std::vector<BootSpan> boots = {};  // of the other readings, by boot

  Interval interval() const { return {first, last}; }
};

// A verified segment on its way to storage or to a peer. Immutable, shared.
struct SegmentRecord {
  SegmentInfo info;
  std::shared_ptr<const Bytes> bytes;  // as received, first encoded or merged
  std::vector<Entry> control;          // decoded entries, of track-0 segments only
};

}  // namespace dunlin
