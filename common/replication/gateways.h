#pragma once

#include <algorithm>
#include <set>

#include "common/replication/whereabouts.h"

namespace dunlin::replication {

// The other gateways that are up, and who of those of a cell speaks first for a node: by rendezvous
// hashing (Thaler and Ravishankar 1998), so that of one that comes or goes only its own share
// changes hands, and nobody has to agree on anything.
class Gateways {
 public:
  Gateways(const NodeId& self, const Whereabouts& where) : self_(self), where_(where) {}

  void up(const NodeId& gateway) { up_.insert(gateway); }
  void down(const NodeId& node) { up_.erase(node), silent_.erase(node), listens_.erase(node); }
  // No gateway, but it keeps what is said in the backbone.
  void listens(const NodeId& agent) { listens_.insert(agent); }
  // It did not do its share: it comes last until it is heard again.
  void silent(const NodeId& gateway) { silent_.insert(gateway); }
  void heard(const NodeId& gateway) { silent_.erase(gateway); }

  const std::set<NodeId>& all() const { return up_; }
  // How many of those that serve the cell come before this one for `origin`; 0: we speak first.
  // One hash of each gateway.
  std::size_t rank(const NodeId& origin, CellIndex cell) const;
  // Whether another one serves the cell.
  bool any_serves(CellIndex cell) const {
    return std::ranges::any_of(up_, [&](const NodeId& other) { return serves(other, cell); });
  }
  // Who speaks first, when it is another one.
  const NodeId* first(const NodeId& origin, CellIndex cell) const;
  // Whether there is one in the backbone that does not serve the cell, or who listens there.
  bool any_beyond(CellIndex cell) const;

 private:
  bool serves(const NodeId& gateway, CellIndex cell) const {
    return !silent_.contains(gateway) && where_.met(gateway, cell);
  }

  const NodeId self_;
  const Whereabouts& where_;
  std::set<NodeId> up_;
  std::set<NodeId> silent_;
  std::set<NodeId> listens_;
};

}  // namespace dunlin::replication
