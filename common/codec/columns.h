#pragma once

#include <span>
#include <vector>

#include "common/log/entry.h"

namespace dunlin {

// The payload of a segment: consecutive entries, column by column. Lossless: decode(encode(x)) == x
// for every sequence of entries, and so are their canonical bytes. Bytes depend on the input alone.
// The layout stands in common/doc/wire_format.md, "Columns".

Bytes encode_columns(std::span<const Entry> entries);

// Strict: trailing bytes, counts beyond the format limits, and dangling references are `malformed`,
// an early end is `truncated`, decoded entries above kSegmentDecodedBytesMax are `too_large`.
// Memory stays proportional to the limits whatever the input says.
Result<std::vector<Entry>> decode_columns(ByteView payload, Seq first, Seq last);

}  // namespace dunlin
