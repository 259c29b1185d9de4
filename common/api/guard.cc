#include "common/api/guard.h"

#include <algorithm>
#include <chrono>

#include "common/security/certificate.h"
#include "common/telemetry/log.h"

namespace dunlin::api {

std::optional<http::Response> Guard::refusal(const http::Request& request) {
  for (const char* open : {"/healthz", "/v1/authority", "/v1/enrol"}) {
    if (request.path == open) return std::nullopt;
  }
  if (request.client_certificate.empty())
    return refuse(401, "no_certificate", "show a certificate of the fleet");
  const Result<security::Certificate> shown =
      security::Certificate::from_der(request.client_certificate);
  const bool known = shown.ok() && shown->member();
  const std::string role = known ? shown->member()->role : "stranger";
  if (role != "reader" && role != "operator")
    return refuse(403, "not_allowed", "the certificate of a " + role);
  if (role == "reader" && !covers(shown->member()->cell))
    return refuse(403, "not_allowed", "a reader of other cells than all that are kept here");
  if (node_.revoked(shown->node()))
    return refuse(403, "revoked", "the fleet's authority revoked it");
  return std::nullopt;
}

bool Guard::covers(const std::string& cell) const {
  const std::vector<std::string> read = security::cells_of(cell);
  const auto reads = [&](std::string_view kept) {
    return std::ranges::find(read, kept) != read.end();
  };
  if (reads(kBackboneName)) return true;
  return std::ranges::all_of(cells_, reads) && !node_.keeps_other_cells();
}

void Guard::note_no_handshake(const Error& why) {
  if (why.code != Errc::closed) note(std::string(to_string(why.code)), why.context);
}

http::Response Guard::refuse(int status, const std::string& code, const std::string& detail) {
  note(code, detail);
  return http::problem(status, code, http::reason_phrase(status), detail);
}

void Guard::note(const std::string& code, const std::string& detail) {
  {
    const std::lock_guard lock(mutex_);
    refused_[code] += 1;
  }
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  const auto silent = logged_.pass(code, Instant(std::chrono::duration_cast<Duration>(now)));
  if (silent)
    log::warn("http_refused", {{"reason", code}, {"detail", detail}, {"repeated", *silent}});
}

std::map<std::string, std::uint64_t> Guard::refused() const {
  const std::lock_guard lock(mutex_);
  return refused_;
}

}  // namespace dunlin::api
