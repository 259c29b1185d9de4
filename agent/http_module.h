#pragma once

#include "common/api/http_api.h"

namespace dunlin::agent {

// Starts the HTTP endpoints from the module dunlin-agent-http.so, which is loaded for that: an
// agent that serves no HTTP, as most do, saves 2 MB of resident memory. `io` when the module is
// missing.
Result<std::unique_ptr<api::HttpApi>> load_http_api(runtime::NodeView& node,
                                                    api::HttpApiOptions options);

}  // namespace dunlin::agent
