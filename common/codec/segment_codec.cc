#include "common/codec/segment_codec.h"

#include <zstd.h>

#include <algorithm>
#include <limits>
#include <string>

#include "common/base/check.h"
#include "common/base/owned.h"
#include "common/codec/cbor.h"
#include "common/codec/columns.h"
#include "common/codec/entry_codec.h"
#include "common/log/chain.h"
#include "common/log/limits.h"

namespace dunlin {

namespace {

constexpr std::uint64_t kSegmentItems = 12;
// Below this size zstd has nothing to find.
constexpr std::size_t kCompressBytesMin = 160;
constexpr int kCompressLevel = 1;

struct Payload {
  PayloadCodec codec;
  std::size_t decoded_size;
  Bytes bytes;
};

Payload encode_payload(std::span<const Entry> entries) {
  Bytes plain = encode_columns(entries);
  const std::size_t size = plain.size();
  if (size >= kCompressBytesMin) {
    thread_local const Owned<ZSTD_CCtx, ZSTD_freeCCtx> context(ZSTD_createCCtx());
    Bytes packed(ZSTD_compressBound(size));
    const std::size_t n = ZSTD_compressCCtx(context.get(), packed.data(), packed.size(),
                                            plain.data(), size, kCompressLevel);
    if (!ZSTD_isError(n) && n < size) {
      packed.resize(n);
      return {PayloadCodec::columns_zstd, size, std::move(packed)};
    }
  }
  return {PayloadCodec::columns, size, std::move(plain)};
}

Result<Bytes> inflate_payload(const SegmentHeader& header) {
  if (header.payload_size > kSegmentDecodedBytesMax) {
    return {Errc::too_large, "a payload of " + std::to_string(header.payload_size) + " bytes"};
  }
  // One frame and nothing behind it: what is stored and forwarded carries no freight of others.
  const ByteView packed = header.payload;
  if (ZSTD_getFrameContentSize(packed.data(), packed.size()) != header.payload_size ||
      ZSTD_findFrameCompressedSize(packed.data(), packed.size()) != packed.size()) {
    return {Errc::malformed, "the payload is not one zstd frame of the size it names"};
  }
  Bytes plain(static_cast<std::size_t>(header.payload_size));
  const std::size_t n = ZSTD_decompress(plain.data(), plain.size(), packed.data(), packed.size());
  if (ZSTD_isError(n) || n != plain.size()) {
    return {Errc::malformed, "the payload does not decompress to the size it names"};
  }
  return plain;
}

void note_boot(std::uint64_t boot, std::int64_t low, std::int64_t high, SegmentInfo& info) {
  const auto at = std::lower_bound(
      info.boots.begin(), info.boots.end(), boot,
      [](const BootSpan& span, std::uint64_t wanted) { return span.boot < wanted; });
  if (at == info.boots.end() || at->boot != boot) {
    info.boots.insert(at, {boot, low, high});
  } else {
    at->low = std::min(at->low, low);
    at->high = std::max(at->high, high);
  }
}

void summarize(std::span<const Entry> entries, SegmentInfo& info) {
  bool timed = false;
  for (const Entry& entry : entries) {
    for (const Op& op : entry.ops) {
      const auto* samples = std::get_if<Samples>(&op);
      if (samples == nullptr) continue;
      info.readings += samples->rows.size();
      if (info.streams.empty() || info.streams.back() != samples->stream)
        info.streams.push_back(samples->stream);
      if (samples->rows.empty()) continue;
      const auto [low, high] =
          std::minmax_element(samples->rows.times().begin(), samples->rows.times().end());
      if (samples->boot) {
        if (info.boots.size() <= kBootSpansMax) note_boot(*samples->boot, *low, *high, info);
        continue;
      }
      info.time_min = timed ? std::min(info.time_min, *low) : *low;
      info.time_max = timed ? std::max(info.time_max, *high) : *high;
      timed = true;
    }
  }
  if (info.boots.size() > kBootSpansMax) {
    info.boots.clear();
    info.time_min = std::numeric_limits<UtcMicros>::min();
    info.time_max = std::numeric_limits<UtcMicros>::max();
  }
  std::sort(info.streams.begin(), info.streams.end());
  info.streams.erase(std::unique(info.streams.begin(), info.streams.end()), info.streams.end());
  info.hlc_last = entries.back().hlc;
}

Bytes encode_segment(const SegmentInfo& info, const Payload& payload, const Signature& signature) {
  Bytes out;
  out.reserve(payload.bytes.size() + 192);
  CborWriter w(out);
  w.array(kSegmentItems), w.uint(kSegmentFormat);
  w.bytes(info.log.node.bytes), w.uint(info.log.epoch.value), w.uint(info.log.track.value);
  w.uint(info.first), w.uint(info.last), w.bytes(info.before), w.uint(info.needs);
  w.uint(static_cast<std::uint64_t>(payload.codec)), w.uint(payload.decoded_size);
  w.bytes(payload.bytes), w.bytes(signature);
  return out;
}

// Encodes entries as one segment, or as two halves when one would be too large.
Result<void> build(const LogId& log, const Hash& before, Seq needs, ChainView chain, Signer& signer,
                   std::vector<SegmentRecord>& out) {
  const std::size_t n = chain.entries.size();
  DUNLIN_ASSIGN(const Signature signature, signer.sign(head_statement(log, chain.entries.back().seq,
                                                                      chain.links.back().after)));
  Result<SegmentRecord> whole = build_signed_segment(log, before, needs, chain, signature);
  if (whole.ok()) return out.push_back(*std::move(whole)), Result<void>{};
  if (whole.error().code != Errc::too_large || n == 1) return whole.error();
  DUNLIN_TRY(build(log, before, needs, chain.first(n / 2), signer, out));
  return build(log, chain.links[n / 2 - 1].after, needs, chain.from(n / 2), signer, out);
}

}  // namespace

Result<ChainLink> Chain::add(Entry entry, const Hash& before) {
  Bytes canonical;
  const Hash digest = entry_digest(entry, canonical);
  if (canonical.size() > kEntryBytesMax) {
    return {Errc::too_large, "an entry of " + std::to_string(canonical.size()) + " bytes"};
  }
  entries.push_back(std::move(entry));
  return links.emplace_back(ChainLink{chain_next(before, digest), canonical.size()});
}

Result<SegmentRecord> build_signed_segment(const LogId& log, const Hash& before, Seq needs,
                                           ChainView chain, const Signature& signature) {
  const std::span<const Entry> entries = chain.entries;
  std::size_t canonical_bytes = 0;
  for (const ChainLink& link : chain.links) canonical_bytes += link.canonical_bytes;
  if (entries.size() > kSegmentEntriesMax || canonical_bytes > kSegmentDecodedBytesMax) {
    return {Errc::too_large, std::to_string(entries.size()) + " entries fit no segment"};
  }
  SegmentRecord record;
  SegmentInfo& info = record.info;
  info = {.log = log,
          .first = entries.front().seq,
          .last = entries.back().seq,
          .before = before,
          .after = chain.links.back().after,
          .needs = needs,
          .hlc_last = {},
          .streams = {}};
  summarize(entries, info);

  Bytes bytes = encode_segment(info, encode_payload(entries), signature);
  if (bytes.size() > kSegmentBytesMax) {
    return {Errc::too_large, "a segment of " + std::to_string(bytes.size()) + " bytes"};
  }
  record.bytes = std::make_shared<const Bytes>(std::move(bytes));
  if (log.track == kControlTrack) record.control.assign(entries.begin(), entries.end());
  return record;
}

Result<std::vector<SegmentRecord>> build_segments(const LogId& log, const Hash& before, Seq needs,
                                                  ChainView chain, Signer& signer) {
  std::vector<SegmentRecord> out;
  Hash hash = before;
  while (!chain.entries.empty()) {
    std::size_t n = 0;
    for (std::size_t bytes = 0; n < chain.entries.size() && n < kSegmentEntriesMax; ++n) {
      bytes += chain.links[n].canonical_bytes;
      if (n > 0 && bytes > kSegmentTargetBytes) break;
    }
    DUNLIN_TRY(build(log, hash, needs, chain.first(n), signer, out));
    hash = chain.links[n - 1].after;
    chain = chain.from(n);
  }
  return out;
}

Result<SegmentHeader> parse_segment(ByteView bytes) {
  if (bytes.size() > kSegmentBytesMax) {
    return {Errc::too_large, "a segment of " + std::to_string(bytes.size()) + " bytes"};
  }
  CborReader r(bytes);
  SegmentHeader h;
  DUNLIN_ASSIGN(const std::uint64_t items, r.array());
  if (items == 0) return r.error(Errc::malformed, "an empty segment");
  DUNLIN_ASSIGN(const std::uint64_t format, r.uint());
  if (format != kSegmentFormat) {
    return {Errc::unsupported, "segment format " + std::to_string(format)};
  }
  if (items != kSegmentItems) return r.error(Errc::malformed, "a segment has 12 items");
  DUNLIN_TRY(r.bytes_into(h.log.node.bytes));
  DUNLIN_ASSIGN(h.log.epoch.value, r.uint());
  DUNLIN_ASSIGN(h.log.track.value, r.uint());
  DUNLIN_ASSIGN(h.first, r.uint());
  DUNLIN_ASSIGN(h.last, r.uint());
  DUNLIN_TRY(r.bytes_into(h.before));
  DUNLIN_ASSIGN(h.needs, r.uint());
  DUNLIN_ASSIGN(const std::uint64_t codec, r.uint());
  DUNLIN_ASSIGN(h.payload_size, r.uint());
  DUNLIN_ASSIGN(h.payload, r.bytes());
  DUNLIN_TRY(r.bytes_into(h.signature));
  DUNLIN_TRY(r.finish());

  if (codec != static_cast<std::uint64_t>(PayloadCodec::columns) &&
      codec != static_cast<std::uint64_t>(PayloadCodec::columns_zstd)) {
    return {Errc::unsupported, "payload codec " + std::to_string(codec)};
  }
  h.codec = static_cast<PayloadCodec>(codec);
  if (h.first == 0 || h.last < h.first || h.last > kSeqMax || h.needs > kSeqMax) {
    return {Errc::malformed, "sequence numbers out of order"};
  }
  if (h.last - h.first >= kSegmentEntriesMax) {
    return {Errc::too_large, "a segment of " + std::to_string(h.last - h.first + 1) + " entries"};
  }
  if (h.log.track == kControlTrack && h.needs != 0)
    return {Errc::malformed, "track 0 needs itself"};
  if (h.first == 1 && h.before != chain_start(h.log)) {
    return {Errc::bad_hash, "the chain of " + h.log.to_string() + " starts elsewhere"};
  }
  return h;
}

Result<std::vector<Entry>> decode_entries(const SegmentHeader& header) {
  if (header.codec == PayloadCodec::columns_zstd) {
    DUNLIN_ASSIGN(const Bytes inflated, inflate_payload(header));
    return decode_columns(inflated, header.first, header.last);
  }
  if (header.payload_size != header.payload.size()) {
    return {Errc::malformed, "the payload is not of the size it names"};
  }
  return decode_columns(header.payload, header.first, header.last);
}

Result<DecodedSegment> decode_segment(const SegmentHeader& header) {
  DecodedSegment decoded;
  DUNLIN_ASSIGN(decoded.entries, decode_entries(header));

  SegmentInfo& info = decoded.info;
  info = {.log = header.log,
          .first = header.first,
          .last = header.last,
          .before = header.before,
          .after = header.before,
          .needs = header.needs,
          .hlc_last = {},
          .streams = {}};
  Bytes scratch;
  for (const Entry& entry : decoded.entries) {
    info.after = chain_next(info.after, entry_digest(entry, scratch));
    decoded.canonical_bytes += scratch.size();
    decoded.unknown_operations += count_unknown(entry);
    if (scratch.size() > kEntryBytesMax || decoded.canonical_bytes > kSegmentDecodedBytesMax) {
      return {Errc::too_large,
              "entry " + std::to_string(entry.seq) + " of " + header.log.to_string()};
    }
  }
  summarize(decoded.entries, info);
  return decoded;
}

Result<EntryHashes> entry_hashes(const SegmentHeader& header) {
  DUNLIN_ASSIGN(const std::vector<Entry> entries, decode_entries(header));
  EntryHashes out{header.first - 1, {header.before}};
  out.hashes.reserve(1 + entries.size());
  Bytes scratch;
  for (const Entry& entry : entries)
    out.hashes.push_back(chain_next(out.hashes.back(), entry_digest(entry, scratch)));
  return out;
}

}  // namespace dunlin
