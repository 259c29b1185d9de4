#include "cli/issuer.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/fleet.h"
#include "cli/json_text.h"
#include "cli/tokens.h"
#include "common/base/wall_clock.h"
#include "common/http/server.h"
#include "common/telemetry/log.h"
#include "common/transport/mqtt/broker_url.h"

namespace dunlin::cli {

namespace {

using nlohmann::json;
using security::Certificate;

constexpr UtcMicros kDay = 86'400'000'000;

struct Asked {
  std::string request;  // PEM
  std::string token;    // its id; "" = a renewal
  Hash proof{};
};

Result<Asked> read(const std::string& body) {
  const json read = json::parse(body, nullptr, false);
  if (text_of(read, "request").empty())
    return {Errc::malformed, "the body is {\"request\": PEM, \"token\": ID, \"proof\": HEX}"};
  Asked asked{text_of(read, "request"), text_of(read, "token")};
  if (asked.token.empty()) return asked;
  DUNLIN_ASSIGN(const Bytes proof, from_hex(text_of(read, "proof")));
  if (proof.size() != asked.proof.size()) return {Errc::malformed, "a proof has 32 bytes"};
  std::copy(proof.begin(), proof.end(), asked.proof.begin());
  return asked;
}

Result<Certificate> enrol(Fleet& fleet, const Asked& asked, const security::Request& request,
                          UtcMicros now, int days) {
  const NodeId node = node_id_of(request.public_key);
  Result<Invitation> invitation = read_invitation(fleet.folder(), asked.token);
  if (!invitation.ok() && invitation.error().code == Errc::not_found)
    return {Errc::untrusted, "there is no such token"};
  if (!invitation.ok()) return invitation.error();
  if (!security::proves(asked.proof, invitation->secret, asked.request))
    return {Errc::untrusted, "the proof is not by the token's secret"};
  DUNLIN_ASSIGN(const auto gone, fleet.revocations());
  if (gone.contains(node)) return {Errc::revoked, node.to_string() + " was revoked"};
  if (invitation->used_by && *invitation->used_by != node)
    return {Errc::exists, "another device used the token"};
  if (invitation->used_by) {
    Result<Certificate> certificate = fleet.member(node);
    if (!certificate.ok() && certificate.error().code != Errc::not_found) return certificate;
    if (certificate.ok() && certificate->validity().until >= now) {
      // It may be killed between two files: the certificate is there, and no rights are.
      DUNLIN_TRY(fleet.write_rights());
      return certificate;
    }
  }
  if (now > invitation->until) return {Errc::expired, "the token is over"};
  DUNLIN_TRY(fleet.check_free(invitation->member, node));
  // First of all it is used: what follows can be done once more, for the same key.
  invitation->used_by = node;
  DUNLIN_TRY(write_invitation(fleet.folder(), asked.token, *invitation));
  return fleet.admit(request.public_key, invitation->member, now, days);
}

Result<Certificate> renew(Fleet& fleet, const security::Request& request, UtcMicros now, int days) {
  const NodeId node = node_id_of(request.public_key);
  DUNLIN_ASSIGN(const auto gone, fleet.revocations());
  if (gone.contains(node)) return {Errc::revoked, node.to_string() + " was revoked"};
  Result<Certificate> former = fleet.member(node);
  if (!former.ok() && former.error().code == Errc::not_found)
    return {Errc::untrusted, node.to_string() + " is no member: it needs a token"};
  if (!former.ok() || former->validity().until - now > days * kDay / 3) return former;
  return fleet.renew(node, now, days);
}

struct Issued {
  Certificate certificate;
  std::string answer;
};

Result<Issued> issue(Fleet fleet, const Asked& asked, UtcMicros now, int days) {
  DUNLIN_ASSIGN(const security::Request request, security::read_request(asked.request));
  DUNLIN_ASSIGN(Certificate certificate, asked.token.empty()
                                             ? renew(fleet, request, now, days)
                                             : enrol(fleet, asked, request, now, days));
  DUNLIN_ASSIGN(std::string answer, fleet.answer(certificate));
  return Issued{std::move(certificate), std::move(answer)};
}

}  // namespace

http::Response Issuer::answer(const std::string& body, UtcMicros now) {
  const Result<Asked> asked = read(body);
  if (!asked.ok()) return http::problem(asked.error());
  const char* what = asked->token.empty() ? "renewal" : "enrolment";
  Result<Fleet> fleet = Fleet::open(folder_, passphrase_);
  const Result<Issued> issued =
      fleet.ok() ? issue(*std::move(fleet), *asked, now, days_) : Result<Issued>(fleet.error());
  if (!issued.ok()) {
    const Error& error = issued.error();
    const auto since = std::chrono::steady_clock::now().time_since_epoch();
    const auto silent =
        logged_.pass(to_string(error.code), Instant(std::chrono::duration_cast<Duration>(since)));
    if (silent)
      log::warn("security", {{"what", what},
                             {"reason", to_string(error.code)},
                             {"token", asked->token},
                             {"error", error.context},
                             {"repeated", *silent}});
    if (error.code == Errc::bad_signature)
      return http::problem(403, to_string(error.code), "Forbidden", error.context);
    return http::problem(error);
  }
  const security::Member& member = *issued->certificate.member();
  log::info("issued", {{"what", what},
                       {"node", issued->certificate.node().to_string()},
                       {"name", member.name},
                       {"cell", member.cell},
                       {"until", issued->certificate.validity().until},
                       {"token", asked->token}});
  return {.body = issued->answer};
}

int serve_enrolments(const std::string& folder, const std::string& listen, int days,
                     const Fleet::Passphrase& passphrase) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const auto fail = [](const Error& error) {
    log::error("cannot_start", {{"error", error.message()}});
    return 1;
  };
  if (!is_loopback_address(listen))
    return fail({Errc::invalid_argument, listen + ": gateways ask on this machine, in plain HTTP"});
  std::string name;
  // Asked for once: each request opens the fleet again.
  std::optional<std::string> known;
  const Fleet::Passphrase once = [&]() -> Result<std::string> {
    if (!known) {
      DUNLIN_ASSIGN(known, passphrase());
    }
    return *known;
  };
  {
    Result<Fleet> fleet = Fleet::open(folder, once);
    if (!fleet.ok()) return fail(fleet.error());
    if (const Result<void> unlocked = fleet->unlock(); !unlocked.ok())
      return fail(unlocked.error());
    name = fleet->name();
  }
  Issuer issuer(folder, days, once);
  http::Server server;
  server.route("POST", "/v1/enrol", [&](const http::Request& request) {
    return issuer.answer(request.body, utc_now());
  });
  const Result<int> port = server.start(listen);
  if (!port.ok()) return fail(port.error());
  log::info("started", {{"fleet", name}, {"http_port", *port}});
  int received = 0;
  while (sigwait(&signals, &received) != 0) {
  }
  server.stop();
  return 0;
}

}  // namespace dunlin::cli
