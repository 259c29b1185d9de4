#pragma once

#include <string_view>

#include "common/api/guard.h"
#include "common/api/http_api.h"
#include "common/runtime/node_view.h"
#include "common/telemetry/snapshot.h"

namespace dunlin::api {

std::string_view name_of(replication::Role role);
std::string_view name_of(replication::PeerState state);

// Whether it is somebody whose lag and silence matter: not this node, the authority, nor one that
// was revoked.
bool is_awaited(const replication::NodeStatus& node, const runtime::NodeReport& report);

// What is missing here of what is known to exist.
struct Lag {
  std::uint64_t entries = 0;
  Duration age{};  // of the oldest of it; 0 when nothing is missing
};
Duration lag_of(const replication::LogStatus& log, const Moment& now);
Lag lag_of(const replication::NodeStatus& node, const Moment& now);

// For /metrics: what the node, the process and its inputs say now. Reads files in /proc and the
// node's certificate.
telemetry::Snapshot make_snapshot(const runtime::NodeReport& report, const Guard& guard,
                                  const HttpApiOptions& options);

}  // namespace dunlin::api
