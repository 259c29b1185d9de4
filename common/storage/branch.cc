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
  for (Seq seq = std::max(here.before, coming.before); here.covers(seq) && coming.covers(seq);
       ++seq) {
    const Difference both{seq, here.at(seq), coming.at(seq)};
    if (both.stored != both.coming) return std::optional(both);
  }
  return std::optional<Difference>();
}

Result<std::optional<SegmentRecord>> joined(ByteView stored, const SegmentRecord& coming) {
  const SegmentInfo& info = coming.info;
  DUNLIN_ASSIGN(const EntryHashes here, hashes_of(stored));
  if (!here.covers(info.first - 1) || here.at(info.first - 1) != info.before)
    return std::optional<SegmentRecord>();
  if (here.before == info.first - 1) return std::optional(coming);
  DUNLIN_ASSIGN(const SegmentHeader old, parse_segment(stored));
  DUNLIN_ASSIGN(const SegmentHeader header, parse_segment(*coming.bytes));
  Chain chain;
  Hash hash = old.before;
  const auto take = [&](const SegmentHeader& from, Seq end) -> Result<void> {
    DUNLIN_ASSIGN(std::vector<Entry> entries, decode_entries(from));
    for (Entry& entry : entries) {
      if (entry.seq >= end) break;
      DUNLIN_ASSIGN(const ChainLink link, chain.add(std::move(entry), hash));
      hash = link.after;
    }
    return {};
  };
  DUNLIN_TRY(take(old, info.first));
  DUNLIN_TRY(take(header, info.last + 1));
  Result<SegmentRecord> record = build_signed_segment(
      info.log, old.before, std::max(old.needs, info.needs), chain, header.signature);
  if (record.ok()) return std::optional(*std::move(record));
  if (record.error().code != Errc::too_large) return record.error();
  return std::optional<SegmentRecord>();
}

Result<std::optional<Hash>> hash_in(ByteView segment, Seq seq) {
  DUNLIN_ASSIGN(const EntryHashes all, hashes_of(segment));
  const bool inside = seq > all.before && all.covers(seq);
  return inside ? std::optional(all.at(seq)) : std::optional<Hash>();
}

}  // namespace dunlin::storage
