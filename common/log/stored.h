#pragma once

#include "common/log/interval_set.h"
#include "common/log/segment.h"

namespace dunlin {

// What passes between the replica and its storage, besides SegmentRecord.

// Entries that leave the disk: whole stored segments, with the chain hashes at both ends.
struct Release {
  LogId log;
  Interval interval;
  Hash before{};  // hash(first - 1)
  Hash after{};   // hash(last)
};

// What gateways hold of an own log.
struct Acked {
  LogId log;
  IntervalSet acked;
};

// What became of a segment that was handed to storage.
struct WriteOutcome {
  enum class Kind { stored, duplicate, fork } kind = Kind::stored;
  Seq fork_seq = 0;    // the first sequence number with two hashes
  bool known = false;  // this fork is on record already, or too many of its log are
};

struct StoredSegment {
  Interval interval;
  Bytes bytes;
};

// A stored segment that may have to go.
struct OldSegment {
  Release release;
  std::uint64_t readings = 0;
  std::uint64_t bytes = 0;
};

}  // namespace dunlin
