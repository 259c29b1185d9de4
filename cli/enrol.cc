#include "cli/enrol.h"

#include <httplib.h>
#include <openssl/ssl.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/answer.h"
#include "cli/json_text.h"
#include "cli/trust.h"
#include "common/base/check.h"
#include "common/security/keys.h"
#include "common/security/private_file.h"

namespace dunlin::cli {

namespace {

using nlohmann::json;
using security::Certificate;
using security::Membership;
using security::NodeKey;

// `member`: of a data directory whose certificate is shown; "" = none is.
httplib::Client client_of(const std::string& gateway, const std::string& member = {}) {
  httplib::Client client(gateway, member.empty() ? member : security::certificate_file(member),
                         member.empty() ? member : security::key_file(member));
  client.set_connection_timeout(10);
  client.set_read_timeout(20);
  if (SSL_CTX* const tls = client.ssl_context(); tls != nullptr)
    DUNLIN_CHECK(SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) == 1);
  return client;
}

Error unreached(const std::string& gateway, const httplib::Result& answer) {
  if (answer.error() == httplib::Error::SSLServerVerification)
    return {Errc::untrusted, gateway + " shows no certificate of the fleet for that name"};
  return {Errc::io, gateway + ": " + httplib::to_string(answer.error())};
}

// The certificate of the authority, as long as it is of that key and by it.
Result<Certificate> fetch_authority(const std::string& gateway, const NodeId& authority) {
  httplib::Client client = client_of(gateway);
  client.enable_server_certificate_verification(false);
  const httplib::Result answer = client.Get("/v1/authority");
  if (!answer) return unreached(gateway, answer);
  if (answer->status != 200)
    return {Errc::io, gateway + "/v1/authority: HTTP " + std::to_string(answer->status)};
  DUNLIN_ASSIGN(Certificate certificate, Certificate::from_pem(answer->body));
  if (!certificate.is_authority() || certificate.node() != authority ||
      !is_signed_by_itself(certificate))
    return {Errc::untrusted, gateway + " is of another fleet than the token"};
  return certificate;
}

Error refused(const httplib::Response& response) {
  const json problem = json::parse(response.body, nullptr, false);
  return {response.status == 403 || response.status == 409 ? Errc::untrusted : Errc::io,
          "HTTP " + std::to_string(response.status) + " " + text_of(problem, "code") + ": " +
              text_of(problem, "detail")};
}

struct Asking {
  std::string gateway;
  std::string data_dir;
  bool shows_certificate = false;
};

// Asks, and puts in place what is answered.
Result<Membership> ask(const Asking& asking, const Certificate& authority, const NodeKey& key,
                       const json& body) {
  const auto& [gateway, data_dir, shows_certificate] = asking;
  DUNLIN_ASSIGN(const Trust trust, Trust::make(authority));
  httplib::Client client = client_of(gateway, shows_certificate ? data_dir : "");
  trust.give(client);
  const httplib::Result answer = client.Post("/v1/enrol", body.dump(), "application/json");
  if (!answer) return unreached(gateway, answer);
  if (answer->status != 200) return refused(*answer);
  Result<Membership> issued = read_answer(answer->body, authority, key.public_key());
  if (!issued.ok()) return {issued.error().code, gateway + ": " + issued.error().context};
  DUNLIN_ASSIGN(std::string key_pem, key.to_pem());
  security::Bundle bundle{*std::move(issued), std::move(key_pem)};
  std::string& next = bundle.membership.addresses.gateway;
  if (next.empty()) next = gateway;
  DUNLIN_TRY(security::install(bundle, data_dir));
  return bundle.membership;
}

}  // namespace

Result<Membership> enrol(const security::Token& token, const std::string& data_dir, UtcMicros now) {
  const Result<std::optional<Membership>> there = security::load_membership(data_dir);
  // Without its certificate it was on the way to one, or lost it.
  if (!there.ok() && there.error().code != Errc::not_found) return there.error();
  const bool member = there.ok() && *there && (*there)->authority.node() == token.authority;
  if (member && (*there)->certificate.validity().until >= now) return **there;
  if (!member && there.ok() && *there)
    return {Errc::exists,
            data_dir + " belongs to a member of the fleet " + (*there)->authority.common_name()};
  std::error_code failed;
  std::filesystem::create_directories(data_dir, failed);
  if (failed) return {Errc::io, "cannot create " + data_dir + ": " + failed.message()};
  DUNLIN_ASSIGN(const std::unique_ptr<NodeKey> key,
                NodeKey::load_or_create(security::key_file(data_dir)));
  DUNLIN_ASSIGN(const std::string request, make_request(*key, key->node().to_string()));
  DUNLIN_ASSIGN(const Certificate authority, fetch_authority(token.gateway, token.authority));
  return ask({token.gateway, data_dir}, authority, *key,
             {{"request", request},
              {"token", token.id},
              {"proof", to_hex(security::prove(token.secret, request))}});
}

Result<Membership> renew(const std::string& data_dir, const std::string& gateway, UtcMicros now) {
  DUNLIN_ASSIGN(const std::optional<Membership> there, security::load_membership(data_dir));
  if (!there) return {Errc::not_found, data_dir + " belongs to no member of a fleet"};
  const std::string& asked = gateway.empty() ? there->addresses.gateway : gateway;
  if (asked.empty())
    return {Errc::invalid_argument, "neither bundle nor token named a gateway: --gateway does"};
  DUNLIN_ASSIGN(const std::string pem, security::read_private_file(security::key_file(data_dir)));
  DUNLIN_ASSIGN(const std::unique_ptr<NodeKey> key, NodeKey::from_pem(pem));
  DUNLIN_ASSIGN(const std::string request, make_request(*key, key->node().to_string()));
  // One that is over would get no connection, and no word why.
  const bool shows = there->certificate.validity().until >= now;
  return ask({asked, data_dir, shows}, there->authority, *key, {{"request", request}});
}

}  // namespace dunlin::cli
