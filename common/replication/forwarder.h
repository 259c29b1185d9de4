#pragma once

#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "common/replication/context.h"

namespace dunlin::replication {

// Hands segments on between cells and the backbone, byte for byte, once they are durable here. Of
// the gateways that heard them in one cell, the first for their node does (gateways.h). The others
// keep what they have stored for a moment, until they hear it in the backbone: where that does not
// come, the first one may be gone, and the next one does it. What nobody forwards is found by
// digests, so all of this is bounded and may be lost.
class Forwarder {
 public:
  explicit Forwarder(Context& context) : c_(context) {}

  // These became durable: `segments` of one message that came in `cell`.
  void stored(const Moment& now, const std::vector<SegmentRecord>& segments, CellIndex cell,
              Lane lane);
  // `gateway` forwards these in the backbone, maybe before they are durable here. What we hold in
  // the very same bytes is taken out, so that it need not be read again.
  void heard(const NodeId& gateway, Segments& segments);
  void on_gateway_down(const Moment& now, const NodeId& gateway);
  void on_link_down();
  void on_deadline(const Moment& now);
  std::optional<Instant> next_deadline() const { return next_; }

 private:
  static constexpr std::size_t kWaitingBytesMax = 4 * 1024 * 1024;
  static constexpr std::size_t kEarlyMax = 4096;
  static constexpr std::size_t kMessageBytes = 64 * 1024;
  static constexpr Duration kTakeOver = std::chrono::seconds(1);  // each further one waits so long

  using Key = std::tuple<LogId, Seq, Seq>;  // a segment's log, first and last
  struct Waiting {
    Instant until;  // then we do it
    NodeId origin;
    bool begins = false;  // a log of track 0
    std::shared_ptr<const Bytes> bytes;
    CellIndex cell = 0;
    Lane lane = Lane::live;
  };

  void forward(const std::vector<Waiting>& segments);

  Context& c_;
  std::map<Key, Waiting> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::set<Key> early_;          // heard while they were on the way to storage
  std::optional<Instant> next_;  // not after the first `until`
};

}  // namespace dunlin::replication
