#pragma once

#include <span>
#include <vector>

#include "common/log/segment.h"

namespace dunlin {

// segment = [format, node, epoch, track, first, last, before, needs, codec, payload size, payload,
//            signature]; see common/doc/wire_format.md, "Segments".
inline constexpr std::uint64_t kSegmentFormat = 1;

// Canonical bytes that writers put into one segment. Sensor data then encodes to some 20 KB: enough
// to make the signature cheap, little enough for a device's memory.
inline constexpr std::size_t kSegmentTargetBytes = 128 * 1024;

// An entry's place in the chain.
struct ChainLink {
  Hash after{};                     // hash(seq)
  std::size_t canonical_bytes = 0;  // size of the entry's canonical encoding
};

// Consecutive entries and their places, in step.
struct ChainView {
  std::span<const Entry> entries;
  std::span<const ChainLink> links;

  ChainView first(std::size_t n) const { return {entries.first(n), links.first(n)}; }
  ChainView from(std::size_t n) const { return {entries.subspan(n), links.subspan(n)}; }
};
struct Chain {
  std::vector<Entry> entries;
  std::vector<ChainLink> links;

  // Puts `entry` at the end, behind `before`; `too_large` above kEntryBytesMax.
  Result<ChainLink> add(Entry entry, const Hash& before);
  bool empty() const { return entries.empty(); }
  void clear() { entries.clear(), links.clear(); }
  operator ChainView() const { return {entries, links}; }
};

// Encodes and signs consecutive entries as few segments as the format limits allow.
// `before` is the hash ahead of the first. Cost: one signature per segment.
Result<std::vector<SegmentRecord>> build_segments(const LogId& log, const Hash& before, Seq needs,
                                                  ChainView chain, Signer& signer);

// Encodes consecutive entries, of which the last was signed before, as one segment with its
// `signature`; nothing is checked against it. `too_large` above the format limits.
Result<SegmentRecord> build_signed_segment(const LogId& log, const Hash& before, Seq needs,
                                           ChainView chain, const Signature& signature);

// Reads the header and bounds of an encoded segment; `header.payload` points into `bytes`.
Result<SegmentHeader> parse_segment(ByteView bytes);

// The entries alone, not hashed: several times cheaper, for readers of segments that were verified
// when they were stored.
Result<std::vector<Entry>> decode_entries(const SegmentHeader& header);

// A segment whose entries were decoded and hashed. Not verified: `info.after` is what the content
// hashes to from the claimed `before`; only a signature (or a verified successor) proves it.
struct DecodedSegment {
  SegmentInfo info;
  std::vector<Entry> entries;
  std::size_t canonical_bytes = 0;  // of the entries: what decoding and hashing cost, however small
                                    // the segment is
  std::uint64_t unknown_operations = 0;  // of newer minor versions
};
Result<DecodedSegment> decode_segment(const SegmentHeader& header);

// hash(first - 1) ... hash(last) of a segment, to compare branches entry by entry.
struct EntryHashes {
  Seq before = 0;  // first - 1
  std::vector<Hash> hashes;

  bool covers(Seq seq) const { return seq >= before && seq - before < hashes.size(); }
  // Requires covers().
  const Hash& at(Seq seq) const { return hashes[static_cast<std::size_t>(seq - before)]; }
};
Result<EntryHashes> entry_hashes(const SegmentHeader& header);

}  // namespace dunlin
