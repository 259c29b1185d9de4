#pragma once

#include <memory>
#include <set>
#include <vector>

#include "tests/simulation/keys.h"
#include "tests/unit/common/replication/replica_fixture.h"

namespace dunlin::replication::test {

inline constexpr CellIndex kNorth = 0, kCore = 1;

// A gateway of the cell "north" that meets others in the backbone.
class GatewayTest : public ReplicaTest {
 protected:
  void start_linked(ReceiverOptions receiver = {}) {
    ReplicaOptions options = gateway_options();
    options.receiver = receiver;
    start_linked(std::move(options));
  }
  void start_linked(ReplicaOptions options) {
    options.cells = {"north", std::string(kBackboneName)};
    if (closed_) {
      options.admission = simulation::make_admission(*authority_, *verifier_);
      options.certificate = certificate(*key_, true, options.origin.name);
    }
    start(std::move(options));
    serve();
    ASSERT_TRUE(step(LinkUp{}).ok());
    outputs_.clear();
  }

  // A fleet with an authority, and what it says of its members.
  void close_fleet() { closed_ = true; }
  static Bytes certificate(Signer& authority, const Peer& of, bool gateway) {
    return simulation::fixed_certificate(authority, {of.node(), gateway, of.name});
  }
  Bytes certificate(const Signer& of, bool gateway, const std::string& name = "peer") {
    return simulation::fixed_certificate(*authority_, {of.node(), gateway, name});
  }
  void admit(Peer& peer, bool gateway) {
    if (closed_) peer.certificate = certificate(peer.key(), gateway, peer.name);
  }

  // A gateway says hello in each of these cells.
  void meet(Peer& gateway, std::set<CellIndex> cells) {
    admit(gateway, true);
    for (const CellIndex cell : cells) greet(gateway, Role::gateway, {}, cell);
    serve();
  }
  // An agent of our cell, with entry 1 of its track 0.
  SegmentRecord meet_agent(Peer& agent) {
    admit(agent, false);
    greet(agent, Role::agent);
    SegmentRecord open = agent.open();
    hear_live(agent, {open});
    serve();
    return open;
  }
  // One before which so many of `others`, which serve our cell too, speak.
  Peer of_rank(std::size_t rank, const std::vector<NodeId>& others) {
    Whereabouts where({"north"});
    Gateways gateways(key_->node(), where);
    for (const NodeId& other : others) where.heard(other, kNorth), gateways.up(other);
    for (int tries = 0;; ++tries) {
      Peer peer{Role::agent};
      if (gateways.rank(peer.node(), kNorth) == rank) return peer;
      DUNLIN_CHECK(tries < 1000);
    }
  }

  struct Sent {
    Send send;
    Envelope envelope;
  };
  // What was sent of one kind in a cell, with its envelope; what else was sent goes.
  template <typename T>
  std::vector<Sent> sent_in(CellIndex cell) {
    std::vector<Sent> found;
    for (Send& send : take<Send>()) {
      if (send.cell != cell || send.payload.empty()) continue;
      auto envelope = decode_envelope(send.payload);
      EXPECT_TRUE(envelope.ok());
      if (std::holds_alternative<T>(envelope->message))
        found.push_back({std::move(send), *std::move(envelope)});
    }
    return found;
  }
  std::uint64_t refused(const std::string& reason) const {
    const auto& refused = replica_->stats().refused;
    return refused.contains(reason) ? refused.at(reason) : 0;
  }

  std::unique_ptr<Signer> authority_ = simulation::authority_key(false);
  bool closed_ = false;
};

}  // namespace dunlin::replication::test
