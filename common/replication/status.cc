#include "common/replication/replica.h"

namespace dunlin::replication {

namespace {

// A node that lives says something at least every five minutes.
constexpr Duration kStaleAfter = std::chrono::minutes(11);

}  // namespace

bool Replica::keeps_other_cells() const {
  const NodeId* authority = context_.members.authority();
  return std::ranges::any_of(context_.table.logs, [&](const auto& item) {
    const NodeId& node = item.first.node;
    return node != self() && (authority == nullptr || node != *authority) &&
           context_.where.home(node).empty() && !is_gateway(node);
  });
}

std::vector<NodeStatus> Replica::status(const Moment& now) const {
  std::map<NodeId, NodeStatus> nodes;
  const std::optional<UtcMicros> utc = context_.clock.utc(now);
  for (const auto& [node, record] : context_.table.nodes) {
    nodes[node].name = record.name;
    nodes[node].state = PeerState::remote;
  }
  for (const auto& [node, peer] : peers_) {
    NodeStatus& status = nodes[node];
    status.name = peer.name;
    status.cell = context_.where.home(node);
    status.role = peer.role;
    status.speaks = peer.speaks;
    status.last_seen = peer.last_heard_utc;
    status.cloned = peer.instances.cloned();
    if (peer.time) status.synchronised = peer.time->synchronised;
    if (utc && peer.time && peer.time->synchronised)
      status.skew = now.mono.time_since_epoch() + peer.time->ahead - Duration(*utc);
    status.state = !peer.up                                   ? PeerState::down
                   : peer.last_heard + kStaleAfter < now.mono ? PeerState::stale
                                                              : PeerState::up;
  }
  const NodeId* authority = context_.members.authority();
  for (auto& [node, status] : nodes) {
    status.revoked = context_.members.revoked(node);
    status.authority = authority != nullptr && node == *authority;
  }
  NodeStatus& own = nodes[self()];
  own.name = options_.origin.name;
  own.cell = options_.cells.front();
  own.role = options_.role;
  own.speaks =
      std::make_shared<NodeStatus::Protocol>(NodeStatus::Protocol{kProtocolMinor, capabilities()});
  own.state = PeerState::up;
  own.last_seen = now.utc;
  own.synchronised = utc.has_value();
  for (const auto& [id, log] : context_.table.logs) {
    LogStatus status{.log = id, .missing = {}, .behind_since = {}};
    status.head = log.known_head();
    status.proven = log.state.head();
    status.proven_hash = log.state.head_hash();
    status.missing = log.state.missing();
    if (status.head > status.proven) status.missing.insert({status.proven + 1, status.head});
    status.missing_entries = status.missing.count();
    status.complete = status.missing.empty() ? status.head : *status.missing.first() - 1;
    IntervalSet lost = log.state.lost();
    lost.erase(log.state.held());
    // Own entries are released as they are lost; what a gateway holds is not.
    lost.erase(id.node == self() ? log.state.acked() : log.state.released());
    status.lost_entries = lost.count();
    status.lost_readings = status.lost_entries > 0 ? log.state.lost_readings() : 0;
    if (!status.missing.empty()) status.behind_since = log.heard_of(status.complete + 1);
    status.forked = context_.table.forked.contains(id);
    status.sealed = log.state.sealed().has_value();
    nodes[id.node].logs.push_back(std::move(status));
  }
  std::vector<NodeStatus> out;
  out.reserve(nodes.size());
  for (auto& [node, status] : nodes) {
    status.node = node;
    out.push_back(std::move(status));
  }
  return out;
}

}  // namespace dunlin::replication
