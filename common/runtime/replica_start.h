#pragma once

#include <utility>

#include "common/replication/replica.h"
#include "common/storage/log_store.h"

namespace dunlin::runtime {

// A replica starts from what its store holds; the two do not know of each other.
inline replication::ReplicaStart replica_start(storage::LogStore::Contents contents) {
  replication::ReplicaStart start{contents.epoch,
                                  std::move(contents.logs),
                                  {},
                                  std::move(contents.own_streams),
                                  std::move(contents.own_lost),
                                  contents.own_hlc,
                                  std::move(contents.own_anchors),
                                  contents.own_timeless_boot,
                                  std::move(contents.forked),
                                  std::move(contents.revocations)};
  for (KnownNode& known : contents.nodes) {
    start.nodes[known.node] = {std::move(known.public_key), std::move(known.name), known.last_seen};
    if (!known.certificate.empty()) start.certificates[known.node] = std::move(known.certificate);
  }
  return start;
}

}  // namespace dunlin::runtime
