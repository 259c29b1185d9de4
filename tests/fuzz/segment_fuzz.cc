// A segment that decodes says the same by every road, and so do segments built from its entries.
#include "common/codec/entry_codec.h"
#include "common/codec/segment_codec.h"
#include "tests/fuzz/fuzz.h"
#include "tests/simulation/keys.h"

namespace dunlin::fuzz {

namespace {

// Another encoding of the same entries: the chain decides what they are, not the bytes.
void rebuild(const SegmentHeader& header, const DecodedSegment& decoded) {
  Hash hash = header.before;
  Chain chain;
  for (const Entry& entry : decoded.entries) {
    const Result<ChainLink> link = chain.add(entry, hash);
    DUNLIN_CHECK(link.ok());
    hash = link->after;
  }
  DUNLIN_CHECK(hash == decoded.info.after);
  static const std::unique_ptr<Signer> kSigner = simulation::light_key(1);
  const auto built = build_segments(header.log, header.before, header.needs, chain, *kSigner);
  DUNLIN_CHECK(built.ok() && built->back().info.after == hash);
  std::vector<Entry> again;
  for (const SegmentRecord& segment : *built) {
    const Result<SegmentHeader> parsed = parse_segment(*segment.bytes);
    DUNLIN_CHECK(parsed.ok() && parsed->log == header.log && parsed->needs == header.needs);
    Result<std::vector<Entry>> entries = decode_entries(*parsed);
    DUNLIN_CHECK(entries.ok());
    std::move(entries->begin(), entries->end(), std::back_inserter(again));
  }
  DUNLIN_CHECK(again == decoded.entries);
}

}  // namespace

void take(ByteView input) {
  const Result<SegmentHeader> header = parse_segment(input);
  if (!header.ok()) return;
  const Result<std::vector<Entry>> entries = decode_entries(*header);
  const Result<DecodedSegment> decoded = decode_segment(*header);
  const Result<EntryHashes> hashes = entry_hashes(*header);
  DUNLIN_CHECK(decoded.ok() == hashes.ok());
  if (!decoded.ok()) return;
  DUNLIN_CHECK(entries.ok() && *entries == decoded->entries);
  DUNLIN_CHECK(hashes->hashes.size() == entries->size() + 1);
  DUNLIN_CHECK(hashes->at(header->last) == decoded->info.after);
  for (const Entry& entry : *entries) {
    const Result<Entry> again = decode_entry(encode_entry(entry));
    DUNLIN_CHECK(again.ok() && *again == entry);
  }
  rebuild(*header, *decoded);
}

}  // namespace dunlin::fuzz
