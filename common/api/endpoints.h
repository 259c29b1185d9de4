#pragma once

#include "common/api/guard.h"
#include "common/api/http_api.h"
#include "common/http/server.h"
#include "common/telemetry/metrics.h"

namespace dunlin::api {

// Adds every endpoint. What is referred to must outlive the server.
void add_endpoints(http::Server& server, runtime::NodeView& node, telemetry::Metrics& metrics,
                   const Guard& guard, const HttpApiOptions& options);

}  // namespace dunlin::api
