#pragma once

#include <map>
#include <memory>
#include <optional>

#include "common/codec/segment_codec.h"

namespace dunlin::replication {

// Canonical bytes of a message after which no more of it is decoded: what compresses well would
// keep a thread for seconds.
inline constexpr std::size_t kDecodedMax = 2 * 1024 * 1024;

// What decoding cost, in canonical bytes. What does not decode may have cost as much as the largest
// that does.
std::size_t decoding_cost(const Result<DecodedSegment>& decoded);

// What is costly about the segments of a message, done before a replica takes it, perhaps on
// another core: they are decoded and hashed, and the signatures of those that were pushed checked
// under their sender's key. It depends on nothing but the message and that key, and is of use for
// the same bytes and the same key alone: whether and in which order they count the replica decides.
class Prepared {
 public:
  struct Segment {
    Result<DecodedSegment> decoded;              // without its entries
    std::optional<Result<void>> signature = {};  // under the sender's key
  };

  Prepared() = default;  // nothing was done
  // Of an encoded envelope, as much as a replica would decode of it, and no track 0: its entries
  // would have to be kept. `key`: the sender's.
  Prepared(ByteView envelope, const NodeId& sender, Bytes key, Verifier& verifier);

  // Of a segment with exactly these bytes; null when it was not prepared.
  const Segment* find(const std::shared_ptr<const Bytes>& bytes) const;
  // Of such a segment whose origin's key is this one; null when it was not checked.
  const Result<void>* signature(const std::shared_ptr<const Bytes>& bytes, const Bytes& key) const;
  std::size_t cost() const { return cost_; }  // decoding_cost() of all

 private:
  struct ByContent {
    bool operator()(const std::shared_ptr<const Bytes>& a,
                    const std::shared_ptr<const Bytes>& b) const {
      return *a < *b;
    }
  };

  Bytes key_;
  std::map<std::shared_ptr<const Bytes>, Segment, ByContent> segments_;
  std::size_t cost_ = 0;
};

}  // namespace dunlin::replication
