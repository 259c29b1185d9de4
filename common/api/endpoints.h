#pragma once

#include "common/api/guard.h"
#include "common/api/http_api.h"
#include "common/http/server.h"
#include "common/telemetry/metrics.h"

namespace dunlin::api {

// Adds every endpoint. What is referred to must outlive the server.
void add_endpoints(http::Server& server, runtime::NodeView& node, telemetry::Metrics& metrics,
                   const Guard& guard, const HttpApiOptions& options);

// The age of what is missing from a log: 0 when nothing is.
Duration lag_of(const replication::LogStatus& log, const Moment& now);

telemetry::Snapshot make_snapshot(const runtime::NodeReport& report, const Guard& guard,
                                  const InputCounts& inputs);

}  // namespace dunlin::api
