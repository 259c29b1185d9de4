#include "common/http/router.h"

#include <exception>
#include <map>
#include <optional>
#include <set>

#include "common/base/check.h"
#include "common/telemetry/log.h"

namespace dunlin::http {

namespace {

using Parameters = std::map<std::string, std::string>;

// "/v1/nodes" -> {"v1", "nodes"}; "/" -> {""}.
std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> segments;
  path.remove_prefix(path.starts_with('/') ? 1 : 0);
  for (;;) {
    const std::size_t slash = path.find('/');
    segments.emplace_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return segments;
    path.remove_prefix(slash + 1);
  }
}

std::optional<Parameters> match(const std::vector<std::string>& pattern,
                                const std::vector<std::string>& path) {
  Parameters parameters;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const std::string& wanted = pattern[i];
    if (i >= path.size()) return std::nullopt;
    if (wanted == "*") {
      std::string& rest = parameters["*"] = path[i];
      for (std::size_t k = i + 1; k < path.size(); ++k) rest += '/' + path[k];
      return parameters;
    }
    if (wanted.starts_with('{') && wanted.ends_with('}')) {
      if (path[i].empty()) return std::nullopt;
      parameters[wanted.substr(1, wanted.size() - 2)] = path[i];
    } else if (wanted != path[i]) {
      return std::nullopt;
    }
  }
  if (path.size() != pattern.size()) return std::nullopt;
  return parameters;
}

}  // namespace

void Router::add(std::string method, std::string_view pattern, Handler handler) {
  DUNLIN_CHECK(pattern.starts_with('/'));
  routes_.push_back({std::move(method), split(pattern), std::move(handler)});
}

Response Router::dispatch(Request& request) const {
  const auto path = split(request.path);
  std::set<std::string> allowed;
  for (const Route& route : routes_) {
    auto parameters = match(route.segments, path);
    if (!parameters) continue;
    if (route.method != request.method) {
      allowed.insert(route.method);
      if (route.method == "GET") allowed.insert("HEAD");
      continue;
    }
    request.path_parameters = std::move(*parameters);
    try {
      return route.handler(request);
    } catch (const std::exception& e) {
      log::error("http_handler_failed",
                 {{"method", request.method}, {"path", request.path}, {"what", e.what()}});
      return problem(500, "internal", reason_phrase(500), "the request could not be answered");
    }
  }
  if (allowed.empty()) {
    return problem(404, "not_found", reason_phrase(404), "nothing lives at " + request.path);
  }
  std::string allow;
  for (const auto& method : allowed) allow += (allow.empty() ? "" : ", ") + method;
  Response response = problem(405, "method_not_allowed", reason_phrase(405),
                              request.method + " is not offered at " + request.path);
  response.headers.emplace_back("Allow", allow);
  return response;
}

}  // namespace dunlin::http
