#include "common/api/guard.h"

#include <algorithm>

#include "common/security/certificate.h"

namespace dunlin::api {

namespace {

bool was_revoked(runtime::NodeView& node, const NodeId& who) {
  const runtime::NodeReport report = node.report();
  return std::any_of(report.nodes.begin(), report.nodes.end(),
                     [&](const auto& each) { return each.node == who && each.revoked; });
}

}  // namespace

std::optional<http::Response> refusal(runtime::NodeView& node, const http::Request& request) {
  for (const char* open : {"/healthz", "/v1/authority", "/v1/enrol"}) {
    if (request.path == open) return std::nullopt;
  }
  if (request.client_certificate.empty())
    return http::problem(401, "no_certificate", "Unauthorized", "show a certificate of the fleet");
  const Result<security::Certificate> shown =
      security::Certificate::from_der(request.client_certificate);
  if (!shown.ok()) return http::problem(shown.error());
  const std::string role = shown->member() ? shown->member()->role : "";
  if (role != "gateway" && role != "reader" && role != "operator")
    return http::problem(403, "not_allowed", "Forbidden", "the certificate of a " + role);
  if (was_revoked(node, shown->node()))
    return http::problem(403, "revoked", "Forbidden", "the fleet's authority revoked it");
  return std::nullopt;
}

}  // namespace dunlin::api
