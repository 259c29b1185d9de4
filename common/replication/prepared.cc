#include "common/replication/prepared.h"

#include <utility>
#include <vector>

#include "common/log/chain.h"
#include "common/log/limits.h"
#include "common/replication/envelope.h"

namespace dunlin::replication {

namespace {

// Signatures of a message. Of what is pushed a few are enough, and a replica may need none of many.
constexpr std::size_t kChecksMax = 16;

}  // namespace

std::size_t decoding_cost(const Result<DecodedSegment>& decoded) {
  return decoded.ok() ? decoded->canonical_bytes : kSegmentDecodedBytesMax;
}

Prepared::Prepared(ByteView envelope, const NodeId& sender, Bytes key, Verifier& verifier)
    : key_(std::move(key)) {
  const Result<Envelope> opened = decode_envelope(envelope);
  const Segments* message = opened.ok() ? std::get_if<Segments>(&opened->message) : nullptr;
  if (message == nullptr) return;
  std::size_t checks = 0;
  for (const auto& bytes : message->segments) {
    if (cost_ > kDecodedMax) return;
    const Result<SegmentHeader> header = parse_segment(*bytes);
    if (!header.ok() || header->log.track == kControlTrack || segments_.contains(bytes)) continue;
    Segment segment{decode_segment(*header)};
    cost_ += decoding_cost(segment.decoded);
    if (segment.decoded.ok()) {
      std::vector<Entry>().swap(segment.decoded->entries);
      // What answers a Fetch comes newest first, so that hardly any of it needs a check.
      if (message->request == 0 && header->log.node == sender && checks < kChecksMax) {
        checks += 1;
        const SegmentInfo& info = segment.decoded->info;
        segment.signature = verifier.verify(key_, head_statement(info.log, info.last, info.after),
                                            header->signature);
      }
    }
    segments_.emplace(bytes, std::move(segment));
  }
}

const Prepared::Segment* Prepared::find(const std::shared_ptr<const Bytes>& bytes) const {
  const auto found = segments_.find(bytes);
  return found == segments_.end() ? nullptr : &found->second;
}

const Result<void>* Prepared::signature(const std::shared_ptr<const Bytes>& bytes,
                                        const Bytes& key) const {
  const Segment* segment = key == key_ ? find(bytes) : nullptr;
  return segment == nullptr || !segment->signature ? nullptr : &*segment->signature;
}

}  // namespace dunlin::replication
