#pragma once

#include <functional>
#include <map>
#include <string>

#include "common/http/server.h"
#include "common/runtime/node.h"
#include "common/telemetry/metrics.h"

namespace dunlin::runtime {

// What only the program knows, by name.
struct InputCounts {
  std::map<std::string, std::uint64_t> errors;            // malformed lines and files, by input type
  std::map<std::string, std::uint64_t> readings_refused;  // by reason
};

struct ApiOptions {
  std::string database;  // path of the SQLite file, for /v1/sql
  std::function<InputCounts()> input_counts;  // may be empty
};

// The HTTP endpoints of a node (common/doc/http.md): /v1/nodes, /v1/lag, /v1/gaps, /v1/sql, /metrics,
// /healthz and /readyz. `node` and `metrics` must outlive the server.
void add_api(http::Server& server, Node& node, telemetry::Metrics& metrics, ApiOptions options);

// The age of what is missing from a log: 0 when nothing is.
Duration lag_of(const replication::LogStatus& log, const Moment& now);

telemetry::Snapshot make_snapshot(const Node::Report& report, const InputCounts& inputs);

}  // namespace dunlin::runtime
