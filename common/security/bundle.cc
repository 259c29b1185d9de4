#include "common/security/bundle.h"

#include <array>
#include <filesystem>

#include "common/security/private_file.h"
#include "common/security/token.h"
#include "dunlin/bytes.h"

namespace dunlin::security {

namespace {

constexpr std::string_view kBroker = "broker: ", kGateway = "gateway: ",
                           kWifiNetwork = "wifi-network: ", kWifiKey = "wifi-key: ";

// The blocks of one kind, each with its armour, which begins a line.
std::vector<std::string> blocks(std::string_view text, const std::string& kind) {
  const std::string begin = "-----BEGIN " + kind + "-----";
  const std::string end = "-----END " + kind + "-----";
  std::vector<std::string> found;
  for (std::size_t at = 0; (at = text.find(begin, at)) != std::string_view::npos;) {
    if (at != 0 && text[at - 1] != '\n') {
      at += begin.size();
      continue;
    }
    const std::size_t last = text.find(end, at);
    if (last == std::string_view::npos) break;
    found.emplace_back(text.substr(at, last + end.size() - at));
    found.back() += "\n";
    at = last + end.size();
  }
  return found;
}

std::string header(std::string_view text, std::string_view name) {
  std::size_t at = text.find(name);
  while (at != std::string_view::npos && at != 0 && text[at - 1] != '\n')
    at = text.find(name, at + 1);
  if (at == std::string_view::npos) return {};
  const std::size_t end = text.find('\n', at);
  return std::string(text.substr(at + name.size(), end - at - name.size()));
}

std::string line(std::string_view name, const std::string& value) {
  return value.empty() ? value : std::string(name) + value + "\n";
}

// They are written as lines above PEM blocks: nothing in them may be a line, or a block, of its
// own.
Result<void> check_addresses(const Addresses& addresses) {
  if (!addresses.broker.empty() && !is_url(addresses.broker, "mqtts://"))
    return {Errc::malformed, "the broker is mqtts://HOST[:PORT]"};
  if (!addresses.gateway.empty() && !is_gateway_url(addresses.gateway))
    return {Errc::malformed, "the gateway is https://HOST[:PORT]"};
  return {};
}

Result<void> belong_together(const Membership& membership) {
  return verify(membership.certificate, membership.authority, std::nullopt);
}

Result<std::optional<Wifi>> read_wifi(std::string_view text) {
  Wifi wifi{header(text, kWifiNetwork), header(text, kWifiKey)};
  if (wifi.network.empty() && wifi.key.empty()) return std::optional<Wifi>();
  DUNLIN_ASSIGN(const Bytes network, from_hex(wifi.network));
  DUNLIN_ASSIGN(const Bytes key, from_hex(wifi.key));
  if (network.empty() || network.size() > 32 || key.size() != 32)
    return {Errc::malformed, "a wireless network is up to 32 bytes with a key of 32"};
  return std::optional(std::move(wifi));
}

Error at(const std::string& path, const Error& error) {
  return {error.code, path + ": " + error.context};
}

}  // namespace

std::string key_file(const std::string& data_dir) {
  return data_dir + "/node.key";
}
std::string certificate_file(const std::string& data_dir) {
  return data_dir + "/node.crt";
}
std::string authority_file(const std::string& data_dir) {
  return data_dir + "/fleet.crt";
}

std::string write_addresses(const Addresses& addresses) {
  return line(kBroker, addresses.broker) + line(kGateway, addresses.gateway);
}

Addresses read_addresses(std::string_view text) {
  return {header(text, kBroker), header(text, kGateway)};
}

std::string write_bundle(const Bundle& bundle) {
  const Membership& membership = bundle.membership;
  return "# A member of the fleet " + membership.authority.common_name() +
         " and its private key: for that device alone.\n" + write_addresses(membership.addresses) +
         (bundle.wifi ? line(kWifiNetwork, bundle.wifi->network) + line(kWifiKey, bundle.wifi->key)
                      : "") +
         membership.certificate.to_pem() + membership.authority.to_pem() + bundle.key_pem;
}

Result<Bundle> read_bundle(std::string_view text) {
  const std::vector<std::string> certificates = blocks(text, "CERTIFICATE");
  const std::vector<std::string> keys = blocks(text, "EC PRIVATE KEY");
  if (certificates.size() != 2 || keys.size() != 1)
    return {Errc::malformed, "a bundle has two certificates and a key"};
  DUNLIN_ASSIGN(Certificate certificate, Certificate::from_pem(certificates[0]));
  DUNLIN_ASSIGN(Certificate authority, Certificate::from_pem(certificates[1]));
  DUNLIN_ASSIGN(const std::unique_ptr<NodeKey> key, NodeKey::from_pem(keys[0]));
  Bundle bundle{{std::move(certificate), std::move(authority), read_addresses(text)}, keys[0]};
  DUNLIN_ASSIGN(bundle.wifi, read_wifi(text));
  DUNLIN_TRY(belong_together(bundle.membership));
  if (key->public_key() != bundle.membership.certificate.public_key())
    return {Errc::untrusted, "the certificate is over another key"};
  return bundle;
}

Result<void> install(const Bundle& bundle, const std::string& data_dir) {
  DUNLIN_TRY(check_addresses(bundle.membership.addresses));
  std::error_code failed;
  std::filesystem::create_directories(data_dir, failed);
  if (failed) return {Errc::io, "cannot create " + data_dir + ": " + failed.message()};
  DUNLIN_ASSIGN(const std::unique_ptr<NodeKey> key, NodeKey::from_pem(bundle.key_pem));
  const Result<std::string> there = read_private_file(key_file(data_dir));
  if (!there.ok() && there.error().code != Errc::not_found) return there.error();
  if (there.ok()) {
    DUNLIN_ASSIGN(const std::unique_ptr<NodeKey> other, NodeKey::from_pem(*there));
    if (other->node() != key->node())
      return {Errc::exists, data_dir + " belongs to node " + other->node().to_string() +
                                ", the bundle is for " + key->node().to_string()};
  }
  const Membership& membership = bundle.membership;
  DUNLIN_TRY(write_private_file(key_file(data_dir), bundle.key_pem));
  DUNLIN_TRY(write_private_file(authority_file(data_dir), write_addresses(membership.addresses) +
                                                              membership.authority.to_pem()));
  return write_private_file(certificate_file(data_dir), membership.certificate.to_pem());
}

Result<std::optional<Membership>> load_membership(const std::string& data_dir) {
  const std::array<std::string, 2> paths{certificate_file(data_dir), authority_file(data_dir)};
  const Result<std::string> own = read_private_file(paths[0]);
  if (!own.ok() && own.error().code == Errc::not_found) {
    if (!std::filesystem::exists(paths[1])) return std::optional<Membership>();
    return {Errc::not_found, paths[0] + " is missing beside " + paths[1]};
  }
  if (!own.ok()) return own.error();
  DUNLIN_ASSIGN(const std::string fleet, read_private_file(paths[1]));
  Result<Certificate> certificate = Certificate::from_pem(*own);
  if (!certificate.ok()) return at(paths[0], certificate.error());
  const std::size_t pem = fleet.find("-----BEGIN");
  Result<Certificate> authority =
      Certificate::from_pem(std::string_view(fleet).substr(std::min(pem, fleet.size())));
  if (!authority.ok()) return at(paths[1], authority.error());
  Membership membership{*std::move(certificate), *std::move(authority), read_addresses(fleet)};
  const Result<void> together = belong_together(membership);
  if (!together.ok()) return at(paths[0], together.error());
  return std::optional(std::move(membership));
}

}  // namespace dunlin::security
