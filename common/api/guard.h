#pragma once

#include <optional>

#include "common/http/message.h"
#include "common/runtime/node_view.h"

namespace dunlin::api {

// Who may ask what over HTTPS. Gateways, readers and the operator may ask everything unless
// they were revoked; anybody may ask whether the program is alive, and to become a member. A device
// reads nothing here: its certificate is for its own log. The answer to a request that is refused,
// 401 or 403.
std::optional<http::Response> refusal(runtime::NodeView& node, const http::Request& request);

}  // namespace dunlin::api
