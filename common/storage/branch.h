#pragma once

#include <optional>

#include "common/codec/segment_codec.h"

namespace dunlin::storage {

// Two branches of a log have entries with the same sequence number and other hashes.

// The first of them.
struct Difference {
  Seq seq = 0;
  Hash stored{};
  Hash coming{};
};

// The first entry that has one hash in a stored segment, or before it, and another in `coming`.
// `corrupt` when the segment does not read back.
Result<std::optional<Difference>> first_difference(ByteView stored, const EntryHashes& coming);

// What is to be stored when the branch of `coming` wins against a stored segment that holds its
// first number: `coming`, behind the entries that the stored segment has before it.
// Nothing when they do not join, or fit no segment; `corrupt` as above.
Result<std::optional<SegmentRecord>> joined(ByteView stored, const SegmentRecord& coming);

// hash(seq), when the segment contains it; `corrupt` as above.
Result<std::optional<Hash>> hash_in(ByteView segment, Seq seq);

}  // namespace dunlin::storage
