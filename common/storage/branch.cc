#include "common/storage/branch.h"

#include <algorithm>

#include "common/codec/segment_codec.h"

namespace dunlin::storage {

namespace {

struct Hashes {
  Seq first = 0;
  std::vector<Hash> hashes;
};

Result<Hashes> hashes_of(ByteView segment) {
  const Result<SegmentHeader> header = parse_segment(segment);
  if (!header.ok()) return {Errc::corrupt, header.error().message()};
  Result<std::vector<Hash>> hashes = entry_hashes(*header);
  if (!hashes.ok()) return {Errc::corrupt, hashes.error().message()};
  return Hashes{header->first, *std::move(hashes)};
}

}  // namespace

Result<std::optional<Difference>> first_difference(ByteView stored, Seq first,
                                                   std::span<const Hash> coming) {
  DUNLIN_ASSIGN(const Hashes other, hashes_of(stored));
  const Seq end = std::min(first + coming.size(), other.first + other.hashes.size());
  for (Seq seq = std::max(first, other.first); seq < end; ++seq) {
    const Difference both{seq, other.hashes[seq - other.first], coming[seq - first]};
    if (both.stored != both.coming) return std::optional(both);
  }
  return std::optional<Difference>();
}

Result<std::optional<Hash>> hash_in(ByteView segment, Seq seq) {
  DUNLIN_ASSIGN(const Hashes all, hashes_of(segment));
  const bool inside = seq >= all.first && seq < all.first + all.hashes.size();
  return inside ? std::optional(all.hashes[seq - all.first]) : std::optional<Hash>();
}

}  // namespace dunlin::storage
