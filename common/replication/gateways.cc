#include "common/replication/gateways.h"

#include <algorithm>

#include "common/base/sha256.h"

namespace dunlin::replication {

namespace {

// Of two the greater one speaks first.
Hash weight(const NodeId& gateway, const NodeId& origin) {
  Bytes both(gateway.bytes.begin(), gateway.bytes.end());
  both.insert(both.end(), origin.bytes.begin(), origin.bytes.end());
  return sha256(both);
}

}  // namespace

std::size_t Gateways::rank(const NodeId& origin, CellIndex cell) const {
  const Hash ours = weight(self_, origin);
  return static_cast<std::size_t>(std::count_if(up_.begin(), up_.end(), [&](const NodeId& other) {
    return serves(other, cell) && weight(other, origin) > ours;
  }));
}

const NodeId* Gateways::first(const NodeId& origin, CellIndex cell) const {
  const NodeId* first = nullptr;
  Hash most = weight(self_, origin);
  for (const NodeId& other : up_) {
    if (!serves(other, cell)) continue;
    const Hash its = weight(other, origin);
    if (its > most) most = its, first = &other;
  }
  return first;
}

bool Gateways::any_beyond(CellIndex cell) const {
  if (!where_.backbone()) return false;
  return !listens_.empty() || std::any_of(up_.begin(), up_.end(), [&](const NodeId& other) {
    return where_.met(other, *where_.backbone()) && !where_.met(other, cell);
  });
}

}  // namespace dunlin::replication
