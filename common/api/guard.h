#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "common/http/message.h"
#include "common/runtime/node_view.h"
#include "common/telemetry/rate_limit.h"

namespace dunlin::api {

// Who may ask what over HTTPS. Gateways, readers and the operator may ask everything unless they
// were revoked; anybody may ask whether the program is alive, and to become a member. A device
// reads nothing here: its certificate is for its own log. Refusals are counted, and logged once a
// minute and reason. Thread-safe.
class Guard {
 public:
  explicit Guard(runtime::NodeView& node) : node_(node) {}

  // The answer to a request that is refused, 401 or 403.
  std::optional<http::Response> refusal(const http::Request& request);
  // How many were, by the problem's code.
  std::map<std::string, std::uint64_t> refused() const;

 private:
  http::Response refuse(int status, const std::string& code, const std::string& detail);

  runtime::NodeView& node_;
  RateLimit logged_;
  mutable std::mutex mutex_;
  std::map<std::string, std::uint64_t> refused_;
};

}  // namespace dunlin::api
