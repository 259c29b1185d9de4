#include "common/storage/branch.h"

#include <algorithm>

namespace dunlin::storage {

namespace {

Result<EntryHashes> hashes_of(ByteView segment) {
  const Result<SegmentHeader> header = parse_segment(segment);
  if (!header.ok()) return {Errc::corrupt, header.error().message()};
  Result<EntryHashes> hashes = entry_hashes(*header);
  if (!hashes.ok()) return {Errc::corrupt, hashes.error().message()};
  return hashes;
}

}  // namespace

Result<std::optional<Difference>> first_difference(ByteView stored, const EntryHashes& coming) {
  DUNLIN_ASSIGN(const EntryHashes here, hashes_of(stored));
  for (Seq seq = std::max(here.before, coming.before) + 1; here.covers(seq) && coming.covers(seq);
       ++seq) {
    const Difference both{seq, here.at(seq), coming.at(seq)};
    if (both.stored != both.coming) return std::optional(both);
  }
  return std::optional<Difference>();
}

Result<std::optional<Hash>> hash_in(ByteView segment, Seq seq) {
  DUNLIN_ASSIGN(const EntryHashes all, hashes_of(segment));
  const bool inside = seq > all.before && all.covers(seq);
  return inside ? std::optional(all.at(seq)) : std::optional<Hash>();
}

}  // namespace dunlin::storage
