#pragma once

#include <limits>
#include <map>
#include <memory>
#include <optional>

#include "common/replication/anti_entropy.h"
#include "common/replication/authority_relay.h"
#include "common/replication/endings.h"
#include "common/replication/follower.h"
#include "common/replication/followers.h"
#include "common/replication/instances.h"
#include "common/replication/origin.h"
#include "common/replication/receiver.h"
#include "common/replication/rescue.h"
#include "common/replication/responder.h"
#include "common/replication/status.h"
#include "common/replication/time_sync.h"

namespace dunlin::replication {

struct ReplicaOptions {
  Role role = Role::agent;
  // An agent is in the first; gateways serve several, and meet in kBackboneName where it is among
  // them, as do agents with an interest in the fleet.
  std::vector<std::string> cells{"default"};
  Interest interest = {};  // of an agent
  OriginOptions origin;
  UplinkOptions uplink = {};
  ReceiverOptions receiver;
  std::shared_ptr<Admission> admission = {};  // of the fleet's authority; null in an open fleet
  Bytes certificate = {};                     // by which it admitted this node
  std::uint64_t seed = 1;
};

// What storage held when the replica was made.
struct ReplicaStart {
  Epoch epoch;
  std::vector<LogState> logs;
  std::map<NodeId, NodeRecord> nodes;
  std::vector<Define> own_streams;
  std::vector<Lost> own_lost;
  Hlc own_hlc;
  std::vector<TimeAnchor> own_anchors = {};
  std::uint64_t own_timeless_boot = 0;  // of the latest own readings without UTC; 0 = none
  std::vector<LogId> forked = {};       // of which a second branch came
  std::vector<std::pair<Hlc, Revoke>> revocations = {};
  std::map<NodeId, Bytes> certificates = {};  // by which nodes were admitted
};

// One node's part in replication: a state machine without I/O. The same class runs agents, gateways
// and simulations.
//
//   driver: step(now, input) for each thing that happened; then poll() until it is empty and carry
//   out every output; then sleep until next_deadline() and step(DeadlinePassed).
//
// Same options, start, seed and inputs: same outputs, byte for byte. Durability comes before
// promises: a segment is pushed or acknowledged only after its WriteFinished. Not thread-safe.
class Replica {
 public:
  // `signer` and `verifier` must outlive the replica.
  Replica(ReplicaOptions options, Nonce nonce, Signer& signer, Verifier& verifier);

  Result<void> start(const Moment& now, ReplicaStart start);

  // An error is for whoever caused the input (the appending caller, say); the replica goes on, and
  // of an Append that was refused no reading was taken.
  Result<void> step(const Moment& now, Input input);
  std::optional<Output> poll();
  std::optional<Instant> next_deadline() const;

  // The MQTT will: this node's Hello with state down.
  Bytes will() const { return will_; }

  const Stats& stats() const { return context_.stats; }
  const NodeId& self() const { return context_.self(); }
  Epoch epoch() const { return context_.epoch; }
  bool revoked(const NodeId& node) const { return context_.members.revoked(node); }
  // Of somebody who belongs here and is in reach; null of others.
  const Bytes* key_of(const NodeId& node) const;
  // Who was heard in that cell of this node.
  std::vector<NodeId> met_in(CellIndex cell) const { return context_.where.met_in(cell); }
  // Where its Hello stands.
  TopicClass presence() const { return presence_topic(keeps_others()); }
  // Whether logs are kept of nodes that were not heard in a cell of this one: other gateways
  // brought them.
  bool keeps_other_cells() const;
  // Of nodes in their order: up to `max` of them, those behind `after` unless it is null.
  std::vector<NodeStatus> status(const Moment& now, const NodeId* after = nullptr,
                                 std::size_t max = std::numeric_limits<std::size_t>::max()) const;

 private:
  struct Peer {
    // Of its last Hello what is asked for again.
    std::shared_ptr<const NodeStatus::Protocol> speaks = {};  // null: there was none
    bool up = false;
    bool compares = false;  // like one that keeps its cell, which its Hello did not say
    Role role = Role::agent;
    std::string name = {};
    Nonce nonce{};
    std::uint64_t counter = 0;
    Bytes public_key = {};  // of a gateway, whose Acks and time are verified

    Instant last_heard{};
    UtcMicros last_heard_utc = 0;
    struct Time {
      bool synchronised = false;
      Duration ahead{};  // of our monotonic clock
    };
    std::optional<Time> time = {};
    Instances instances = {};
    std::uint64_t last_ack = 0;  // the counter of its latest Ack, of that instance

    const std::vector<std::string>& capabilities() const;
  };
  static constexpr std::size_t kPeersMax = 16'384;
  static constexpr Duration kSightingsPeriod = std::chrono::minutes(5);

  struct Visitor;
  std::vector<std::string> capabilities() const;
  Result<Bytes> make_hello(const Moment& now, NodeState state);
  void publish_hello(const Moment& now);
  void after_step(const Moment& now);
  void on_link_up(const Moment& now);
  void on_link_down();
  Result<void> on_received(const Moment& now, const Received& received);
  Result<void> on_hello(const Moment& now, const Received& received, const Hello& hello,
                        const LaterFields& later);
  Result<void> on_vector(const Moment& now, const Received& received, const Vector& vector,
                         Nonce instance);
  Result<void> on_fetch(const Moment& now, const NodeId& requester, const Fetch& fetch);
  Result<void> on_ack(const Moment& now, const NodeId& sender, const Ack& ack,
                      const Envelope& envelope);
  Result<void> on_time_reply(const Moment& now, const NodeId& sender, const TimeReply& reply,
                             const LaterFields& later);
  Result<void> on_segments(const Moment& now, const Received& received, const Segments& segments,
                           Nonce instance);
  Result<void> on_digest(const Moment& now, const Received& received, const Digest& digest,
                         const Envelope& envelope);
  void on_peer_up(const Moment& now, const NodeId& node, const Peer& peer, CellIndex cell);
  void on_peer_down(const Moment& now, const NodeId& node);
  Result<void> on_follow(const Moment& now, const Received& received, const Follow& follow);
  void expel(const Moment& now, const NodeId& node);
  bool is_gateway(const NodeId& node) const;  // as far as its Hello said
  bool keeps_others() const { return options_.role == Role::gateway || options_.interest.any(); }
  // Whether it keeps logs of others, and may.
  bool keeps_others(const NodeId& node, const Peer& peer) const;
  // Whether it keeps all that belongs to that cell, or to the backbone.
  bool is_replica(const NodeId& node, const Peer& peer, CellIndex cell) const;
  void meet(const Moment& now, const NodeId& node, const Peer& peer, CellIndex cell);
  bool may_have(const NodeId& requester, const LogId& log) const;
  // Whether a log is wanted here of which its node itself speaks.
  bool wants(const LogId& log) const;
  bool takes(const Received& received, const LogId& log) const;
  void answer_origin(const NodeId& node);
  void clear_hello(const NodeId& node, TopicClass topic);
  void keep(Peer& peer, const Hello& heard);
  void describe(const Moment& now, const Peer& peer, NodeStatus& status) const;
  void describe_self(const Moment& now, NodeStatus& status) const;
  void heard(const Moment& now, const Received& received, Nonce instance);
  Result<void> make_room_for_peer();
  void on_retire(const Moment& now, const Retire& retire);
  void keep_sightings(const Moment& now);

  ReplicaOptions options_;
  Context context_;
  Uplink uplink_;
  Origin origin_;
  Rescue rescue_;
  Endings endings_;
  Followers followers_;
  Forwarder forwarder_;
  Receiver receiver_;
  Follower follower_;
  AntiEntropy anti_entropy_;
  AuthorityRelay authority_relay_;
  Responder responder_;
  TimeSync time_sync_;
  std::map<NodeId, Peer> peers_;
  std::shared_ptr<const NodeStatus::Protocol> speak_;  // most nodes the same, and share it
  std::map<NodeId, Vector::Storage> storage_of_;       // of peers that say so
  // When nodes were last heard is stored now and then by who reports of them: a gateway. Of what
  // does not get there the next time tells.
  std::optional<Instant> sightings_due_;
  std::optional<Token> sightings_token_;  // of the write that is on its way
  Bytes will_;
};

}  // namespace dunlin::replication
