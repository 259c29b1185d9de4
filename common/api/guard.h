#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/http/message.h"
#include "common/runtime/node_view.h"
#include "common/telemetry/rate_limit.h"

namespace dunlin::api {

// Who may ask what over HTTPS. The operator and readers of all cells that are kept here may ask
// everything unless they were revoked: of those that this gateway serves, and of `_core` where
// others brought it logs of more; anybody may ask whether the program is alive, and to become
// a member. Agents and other gateways read nothing here. Refusals are counted, and logged once a
// minute and reason. Thread-safe.
class Guard {
 public:
  Guard(runtime::NodeView& node, std::vector<std::string> cells)
      : node_(node), cells_(std::move(cells)) {}

  // The answer to a request that is refused, 401 or 403.
  std::optional<http::Response> refusal(const http::Request& request);
  // A client that TLS let not in, for its certificate or as it speaks no TLS.
  void note_no_handshake(const Error& why);
  // How many were refused, by the problem's code or that of the error.
  std::map<std::string, std::uint64_t> refused() const;

 private:
  bool covers(const std::string& cell) const;  // of a certificate, all that are kept here
  void note(const std::string& code, const std::string& detail);
  http::Response refuse(int status, const std::string& code, const std::string& detail);

  runtime::NodeView& node_;
  const std::vector<std::string> cells_;
  RateLimit logged_;
  mutable std::mutex mutex_;
  std::map<std::string, std::uint64_t> refused_;
};

}  // namespace dunlin::api
