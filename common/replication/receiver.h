#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>

#include "common/base/token_bucket.h"
#include "common/codec/segment_codec.h"
#include "common/replication/acknowledger.h"
#include "common/replication/forwarder.h"
#include "common/replication/prepared.h"

namespace dunlin::replication {

struct ReceiverOptions {
  bool archives = true;  // tells origins what arrived here, and signs for it
  std::size_t writing_bytes_max = 8 * 1024 * 1024;  // in memory: received and not yet durable
  std::size_t waiting_bytes_max = 1024 * 1024;      // received before the track 0 they need
  std::uint64_t chunk_bytes = 128 * 1024;           // of fetch credit; two are in flight
  std::size_t sessions_max = 16;                    // peers that are fetched from at a time
  std::size_t logs_max = 100'000;
  std::size_t pieces_max = 4096;  // of a log: LogState::pieces(), and ranges that were lost
  // Of what is refused so many bytes of each peer go to storage, for a person to look at: a flood
  // wears no flash, and pushes out nobody else's.
  std::int64_t quarantine_per_second = 16 * 1024;
  std::int64_t quarantine_burst = 1024 * 1024;
};

// Logs of other nodes: verifies what arrives, has it stored, acknowledges after the commit, and
// fetches what is missing from the node that it belongs to.
class Receiver {
 public:
  // `wants`: whether a log is to be kept here. Others are known by what track 0 says of them.
  Receiver(Context& context, Forwarder& forwarder, ReceiverOptions options,
           std::function<bool(const LogId&)> wants)
      : c_(context), options_(options), wants_(std::move(wants)), forwarder_(forwarder) {}

  // That came in `cell`.
  void on_segments(const Moment& now, const NodeId& peer, CellIndex cell, const Segments& segments,
                   const Prepared& prepared = {});
  // A log of `peer` is said to reach `head`.
  Result<void> on_claim(const Moment& now, const LogId& log, Seq head);
  // `peer` has this of a log of somebody else: what is wanted of it may be fetched there.
  void on_offer(const Moment& now, const NodeId& peer, const Digest::Log& offered);
  // Peers from which all was fetched that they were known to have, and something came of it.
  std::set<NodeId> take_fetched() { return std::exchange(fetched_, {}); }
  // `keeps_others`: it may bring logs of nodes that are not known here.
  void on_peer_up(const Moment& now, const NodeId& peer, Nonce instance, bool keeps_others);
  void on_peer_down(const NodeId& peer);
  void keep(KnownNode member);  // in storage: it was admitted
  bool on_write_finished(const Moment& now, const WriteFinished& finished);  // false: not ours
  void on_retire(const std::vector<OldSegment>& segments);
  void reconsider(const Moment& now, const std::vector<Quarantined>& refused);
  // Tells an origin what is here of its logs, all of them or only `changed` ones.
  void tell(const NodeId& origin, const std::set<LogId>* changed = nullptr);
  // Signs for what is durable here of an origin's logs.
  void sign_soon(const Moment& now, const NodeId& origin, std::size_t more_bytes = 0);
  void on_deadline(const Moment& now);
  std::optional<Instant> next_deadline() const;

 private:
  struct Waiting {
    NodeId origin;
    NodeId from;  // who may have track 0, too
    CellIndex cell = 0;
    std::uint64_t request = 0;
    std::shared_ptr<const Bytes> bytes;
  };
  struct ForeignWrite {
    Lane lane = Lane::live;
    CellIndex cell = 0;  // where they came
    NodeId from;         // and by whom
    std::vector<SegmentRecord> segments;
    std::vector<Release> releases;
    std::vector<KnownNode> members;
    std::vector<Quarantined> refused;
    std::size_t bytes = 0;          // of the segments
    std::size_t memory = 0;         // what they take until they are durable
    std::size_t decoded = 0;        // canonical bytes of what was looked at
    std::optional<NodeId> session;  // the peer whose Fetch brought them
    std::uint64_t request = 0;      // and which Fetch it was
  };
  // A Fetch under way. Credit is topped up as segments become durable.
  struct Session {
    std::uint64_t request = 0;
    std::uint64_t durable_bytes = 0;  // or of no use, since credit was last given
    std::size_t unwritten = 0;        // writes under way
    bool done = false;                // the peer has nothing more to send
    bool progressed = false;
    Instant heard_at;
    Instant news_at;  // when something came of it, or it began
    std::map<LogId, IntervalSet> asked = {};
  };
  // What a peer has of a log of others that was not here.
  struct Offer {
    IntervalSet held;
    Seq head = 0;
    Hash hash{};  // of entry `head`
  };
  using Place = std::pair<Epoch, Track>;  // of a log among those of its node
  static Place place_of(const LogId& log) { return {log.epoch, log.track}; }
  struct Peer {  // one that is up
    Nonce instance;
    bool keeps_others = false;
    std::optional<Instant> fetch_at;  // when to look for gaps; as in fetches_
    Duration backoff{};
    Place asked_last;  // where the wants of the last Fetch ended
  };
  static constexpr std::size_t kOffersMax = 4096;  // of a peer
  static constexpr std::size_t kOfferIntervalsMax = 64;

  // Verifies one segment and adds it to `batch`, or says why not.
  Result<void> take(const Moment& now, const std::shared_ptr<const Bytes>& bytes,
                    std::uint64_t request, const Prepared& prepared, ForeignWrite& batch);
  void refuse(const Moment& now, const NodeId& peer, const std::shared_ptr<const Bytes>& bytes,
              const Error& error);
  void introduce(const Moment& now, const NodeId& peer, const Segments& segments);
  TokenBucket& quarantine_limit(const NodeId& peer);
  void quarantine(const Moment& now, const NodeId& peer, const std::shared_ptr<const Bytes>& bytes,
                  const Error& error);
  bool is_authority(const NodeId& node) const {
    return c_.members.authority() != nullptr && node == *c_.members.authority();
  }
  bool brings_others(const NodeId& peer) const {
    const auto known = peers_.find(peer);
    return known != peers_.end() && known->second.keeps_others;
  }
  bool vouched_for(const SegmentInfo& info) const;
  Result<void> check_room(const LogId& log) const;
  Result<void> check_room(const NodeId& node, const std::map<LogId, bool>& named) const;
  Result<void> check_pieces(const LogRecord& log, const SegmentInfo& info) const;
  Result<void> check_lost(const LogId& log, const std::vector<Entry>& entries) const;
  // Of a segment of track 0: its log and those that it speaks of, of the same node; true: as
  // sealed.
  static std::map<LogId, bool> named_by(const LogId& log, const std::vector<Entry>& entries);
  Result<const Bytes*> key_of(const SegmentHeader& header, const DecodedSegment& decoded);
  void wait_for_control(const Moment& now, const NodeId& origin, std::uint64_t request,
                        const std::shared_ptr<const Bytes>& bytes, const ForeignWrite& batch);
  void retry_waiting(const Moment& now, const NodeId& origin);
  void write(ForeignWrite batch);
  void branched(const SegmentInfo& info, const WriteOutcome& outcome);
  void stored(const Moment& now, const SegmentRecord& segment);
  void sign_acks(const Moment& now);
  void schedule(const Moment& now, const NodeId& peer, Duration delay, bool news);
  IntervalSet wanted_of_offer(const LogId& log, const Offer& offer) const;
  IntervalSet not_asked_of_others(const Moment& now, const LogId& log, IntervalSet wanted) const;
  // False when others are asked for some of it.
  bool add_wants(const Moment& now, const NodeId& peer, Peer& state, Fetch& fetch);
  void forget_offer(const NodeId& peer, const LogId& log);
  void add_offers(const Moment& now, const NodeId& peer, Fetch& fetch);
  void add_controls(const Moment& now, const NodeId& peer, Fetch& fetch) const;
  void fetch_at(const NodeId& peer, Peer& state, std::optional<Instant> at);
  void open_session(const Moment& now, const NodeId& peer, Peer& state);
  void advance_session(const Moment& now, const NodeId& peer);
  void close_session(const Moment& now, const NodeId& peer, bool failed);

  Context& c_;
  ReceiverOptions options_;
  std::function<bool(const LogId&)> wants_;
  std::deque<Waiting> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::map<Token, ForeignWrite> writes_;
  std::size_t writing_bytes_ = 0;
  std::map<std::pair<LogId, Seq>, Hash> arriving_;  // of `writes_` and what is to be: hash before
  std::map<NodeId, Session> sessions_;
  std::map<NodeId, Peer> peers_;
  std::map<NodeId, std::map<LogId, Offer>> offers_;  // of peers; who offers nothing has none
  std::set<NodeId> fetched_;
  std::vector<KnownNode> unkept_;  // whose write failed: they go with the next one
  Forwarder& forwarder_;
  std::set<std::pair<Instant, NodeId>> fetches_;  // who waits longest comes first
  Acknowledger acknowledger_;
  std::map<NodeId, TokenBucket> quarantine_limits_;  // of many peers the rest share the zero id's
};

}  // namespace dunlin::replication
