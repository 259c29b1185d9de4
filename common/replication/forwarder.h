#pragma once

#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "common/replication/context.h"
#include "common/replication/followers.h"

namespace dunlin::replication {

// Of a gateway: hands segments on, byte for byte, once they are durable here: from a cell into the
// backbone, and into cells where somebody follows their node. Of the gateways that serve the one
// cell, or the other, the first for the node does (gateways.h). The others keep what they have
// stored for a moment, until they hear it there: where that does not come, the first one may be
// gone, and the next one does it. What nobody forwards is found by digests, and by who follows, so
// all of this is bounded and may be lost.
//
// A gateway that was held up (a hang, a suspended machine) finds a queue of what others forwarded
// in its place: for as long as it was away it waits like the second one.
class Forwarder {
 public:
  Forwarder(Context& context, const Followers& followers) : c_(context), followers_(followers) {}

  // These became durable: `segments` of one message that came in `cell`.
  void stored(const Moment& now, const std::vector<SegmentRecord>& segments, CellIndex cell,
              Lane lane);
  // `gateway` forwards these in that cell, maybe before they are durable here. What we hold in the
  // very same bytes is taken out, so that it need not be read again.
  void heard(const NodeId& gateway, CellIndex cell, Segments& segments);
  void on_gateway_down(const Moment& now, const NodeId& gateway);
  void on_link_down();
  void on_deadline(const Moment& now);
  std::optional<Instant> next_deadline() const;

 private:
  static constexpr std::size_t kWaitingBytesMax = 4 * 1024 * 1024;
  static constexpr std::size_t kEarlyMax = 4096;
  static constexpr std::size_t kMessageBytes = 64 * 1024;
  static constexpr Duration kTakeOver = std::chrono::seconds(1);  // each further one waits so long
  static constexpr Duration kLook = std::chrono::seconds(1);      // whether time passed without us
  static constexpr Duration kLookWhile = std::chrono::seconds(30);  // after the last one

  using Key = std::tuple<CellIndex, LogId, Seq, Seq>;  // to where, a segment's log, first and last
  struct Waiting {
    Instant until;  // then we do it
    NodeId origin;
    bool begins = false;  // a log of track 0
    std::shared_ptr<const Bytes> bytes;
    CellIndex to = 0;
    CellIndex served = 0;  // by those of whom one does it
    Lane lane = Lane::live;
  };

  // Where segments of a log go that came in `cell`, and the cell whose gateways take turns.
  std::vector<std::pair<CellIndex, CellIndex>> goals(const LogId& log, CellIndex cell) const;
  void forward(const std::vector<Waiting>& segments);
  void look_at_time(const Moment& now);

  Context& c_;
  const Followers& followers_;
  std::map<Key, Waiting> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::set<Key> early_;            // heard while they were on the way to storage
  std::optional<Instant> next_;    // not after the first `until`
  std::optional<Instant> looked_;  // at the time; nothing while nothing is forwarded
  Instant forwarded_{};
  Instant late_until_{};
};

}  // namespace dunlin::replication
