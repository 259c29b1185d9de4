#pragma once

#include <optional>
#include <span>

#include "common/base/ids.h"
#include "common/base/sha256.h"
#include "dunlin/bytes.h"
#include "dunlin/result.h"

namespace dunlin::storage {

// Two branches of a log have entries with the same sequence number and other hashes.

// The first of them.
struct Difference {
  Seq seq = 0;
  Hash stored{};
  Hash coming{};
};

// The first entry of a stored segment whose hash is not the one in `coming`, which are those of the
// entries from `first` on. `corrupt` when the segment does not read back.
Result<std::optional<Difference>> first_difference(ByteView stored, Seq first,
                                                   std::span<const Hash> coming);

// hash(seq), when the segment contains it; `corrupt` as above.
Result<std::optional<Hash>> hash_in(ByteView segment, Seq seq);

}  // namespace dunlin::storage
