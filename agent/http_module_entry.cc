// The one symbol of dunlin-agent-http.so; http_module.cc calls it.
#include "common/api/http_api.h"

extern "C" __attribute__((visibility("default"))) void dunlin_start_http_api(
    dunlin::runtime::NodeView& node, dunlin::api::HttpApiOptions& options,
    dunlin::Result<std::unique_ptr<dunlin::api::HttpApi>>& result) {
  result = dunlin::api::HttpApi::start(node, std::move(options));
}
