#pragma once

#include "common/codec/cbor.h"
#include "common/log/log_state.h"

namespace dunlin {

// A row of the version vector as storage keeps it (common/doc/log_format.md); the log id stands in
// columns of its own.
Bytes encode_log_state(const LogState& state);
Result<LogState> decode_log_state(const LogId& log, ByteView bytes);

// An interval set as [first, last, first, last ...] of differences: each number is the distance
// from the one before. Shared with the messages.
void encode_intervals(CborWriter& writer, const IntervalSet& set);
Result<IntervalSet> decode_intervals(CborReader& reader);

}  // namespace dunlin
