#include <limits>

#include "common/replication/replica.h"

namespace dunlin::replication {

namespace {

// A node that lives says something at least every five minutes.
constexpr Duration kStaleAfter = std::chrono::minutes(11);
constexpr std::uint64_t kLast = std::numeric_limits<std::uint64_t>::max();

LogStatus status_of(const Moment& now, const LogId& id, const LogRecord& log, bool own) {
  const LogState& state = log.state;
  LogStatus status{.log = id, .missing = {}, .behind_since = {}};
  status.head = log.known_head(now.mono - kClaimLifetime);
  status.proven = state.head();
  status.proven_hash = state.head_hash();
  status.complete = state.complete();
  status.sealed = state.sealed().has_value();
  status.held_entries = state.held().count();
  if (status.complete < status.head) {
    status.missing = state.missing();
    if (status.head > status.proven) status.missing.insert({status.proven + 1, status.head});
    const std::uint64_t absent = status.missing.count();
    if (log.let_go_before() > 1) status.missing.erase({1, log.let_go_before() - 1});
    status.missing_entries = status.missing.count();
    status.released_entries = absent - status.missing_entries;
    status.complete = status.missing.empty() ? status.head : *status.missing.first() - 1;
    if (!status.missing.empty()) status.behind_since = log.heard_of(status.complete + 1);
  }
  if (!state.lost().empty()) {
    IntervalSet lost = state.lost();
    lost.erase(state.held());
    // Own entries are released as they are lost; what a gateway holds is not.
    lost.erase(own ? state.acked() : state.released());
    status.lost_entries = lost.count();
    status.lost_readings = status.lost_entries > 0 ? state.lost_readings() : 0;
  }
  return status;
}

}  // namespace

bool Replica::keeps_other_cells() const {
  const NodeId* authority = context_.members.authority();
  return std::ranges::any_of(context_.table.logs, [&](const auto& item) {
    const NodeId& node = item.first.node;
    return node != self() && (authority == nullptr || node != *authority) &&
           context_.where.home(node).empty() && !is_gateway(node);
  });
}

std::vector<NodeStatus> Replica::status(const Moment& now, const NodeId* after,
                                        std::size_t max) const {
  // All of these are in the order of nodes.
  auto record = context_.table.nodes.begin();
  auto peer = peers_.begin();
  auto log = context_.table.logs.begin();
  bool self_is_due = true;
  if (after != nullptr) {
    record = context_.table.nodes.upper_bound(*after);
    peer = peers_.upper_bound(*after);
    log = context_.table.logs.upper_bound({*after, Epoch{kLast}, Track{kLast}});
    self_is_due = *after < self();
  }
  std::vector<NodeStatus> out;
  while (out.size() < max) {
    const NodeId* next = self_is_due ? &self() : nullptr;
    const auto least = [&](const NodeId& node) {
      if (next == nullptr || node < *next) next = &node;
    };
    if (record != context_.table.nodes.end()) least(record->first);
    if (peer != peers_.end()) least(peer->first);
    if (log != context_.table.logs.end()) least(log->first.node);
    if (next == nullptr) break;

    NodeStatus& status = out.emplace_back(NodeStatus{.node = *next, .name = {}});
    const NodeId& node = status.node;
    if (record != context_.table.nodes.end() && record->first == node) {
      status.name = record->second.name;
      status.state = PeerState::remote;
      status.last_seen = record->second.last_seen;
      ++record;
    }
    if (peer != peers_.end() && peer->first == node) describe(now, (peer++)->second, status);
    if (node == self()) describe_self(now, status), self_is_due = false;
    const NodeId* const authority = context_.members.authority();
    status.authority = authority != nullptr && node == *authority;
    status.revoked = context_.members.revoked(node);
    status.certified_until = context_.members.certified_until(node);
    for (; log != context_.table.logs.end() && log->first.node == node; ++log) {
      status.logs.push_back(status_of(now, log->first, log->second, node == self()));
      status.logs.back().forked = context_.table.forked.contains(log->first);
    }
  }
  return out;
}

void Replica::describe(const Moment& now, const Peer& peer, NodeStatus& status) const {
  const std::optional<UtcMicros> utc = context_.clock.utc(now);
  status.name = peer.name;
  status.cell = context_.where.home(status.node);
  status.role = peer.role;
  status.speaks = peer.speaks;
  status.last_seen = std::max(status.last_seen, peer.last_heard_utc);
  status.cloned = peer.instances.cloned();
  const auto storage = storage_of_.find(status.node);
  if (storage != storage_of_.end()) status.storage = storage->second;
  if (peer.time) status.synchronised = peer.time->synchronised;
  if (utc && peer.time && peer.time->synchronised)
    status.skew = now.mono.time_since_epoch() + peer.time->ahead - Duration(*utc);
  status.state = !peer.up                                   ? PeerState::down
                 : peer.last_heard + kStaleAfter < now.mono ? PeerState::stale
                                                            : PeerState::up;
}

void Replica::keep_sightings(const Moment& now) {
  sightings_due_ = now.mono + kSightingsPeriod;
  if (sightings_token_) return;
  Write write;
  for (const auto& [node, peer] : peers_) {
    const auto record = context_.table.nodes.find(node);
    if (record == context_.table.nodes.end()) continue;  // nor has storage heard of it
    if (peer.last_heard_utc <= record->second.last_seen) continue;
    record->second.last_seen = peer.last_heard_utc;
    write.sightings.push_back({node, peer.last_heard_utc});
  }
  if (write.sightings.empty()) return;
  sightings_token_ = write.token = context_.next_token();
  write.lane = Lane::bulk;
  context_.outputs.push_back(std::move(write));
}

void Replica::describe_self(const Moment& now, NodeStatus& status) const {
  status.name = options_.origin.name;
  status.cell = options_.cells.front();
  status.role = options_.role;
  status.speaks =
      std::make_shared<NodeStatus::Protocol>(NodeStatus::Protocol{kProtocolMinor, capabilities()});
  status.state = PeerState::up;
  status.last_seen = now.utc;
  status.synchronised = context_.clock.utc(now).has_value();
  status.storage = context_.storage;
}

}  // namespace dunlin::replication
