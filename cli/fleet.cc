#include "cli/fleet.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <tuple>

#include "cli/answer.h"
#include "cli/broker.h"
#include "cli/broker_files.h"
#include "common/base/utf8.h"
#include "common/log/limits.h"
#include "common/runtime/topics.h"
#include "common/security/locked_key.h"
#include "common/security/private_file.h"
#include "common/security/token.h"
#include "common/telemetry/log.h"
#include "common/transport/mqtt/broker_url.h"

namespace dunlin::cli {

namespace {

namespace fs = std::filesystem;
using security::Authority;
using security::Certificate;
using security::Member;
using security::NodeKey;

constexpr UtcMicros kDay = 86'400'000'000;

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return {Errc::not_found, path + ": cannot be read"};
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::string key_path(const std::string& folder) {
  return folder + "/authority.key";
}
std::string certificate_path(const std::string& folder) {
  return folder + "/authority.crt";
}

std::string log_path(const std::string& folder) {
  return folder + "/log.db";
}
std::string operator_path(const std::string& folder, const std::string& kind) {
  return folder + "/operator." + kind;
}
std::string broker_path(const std::string& folder) {
  return folder + "/broker/broker.crt";
}
std::string member_path(const std::string& folder, const NodeId& node) {
  return folder + "/members/" + node.to_string() + ".crt";
}

security::Validity long_validity(UtcMicros now) {
  return {0, now + Fleet::kYears * 365 * kDay};
}

std::string user_name() {
  const passwd* entry = ::getpwuid(::geteuid());
  return entry != nullptr ? entry->pw_name : "mosquitto";
}

Result<void> check_cells(const Member& member) {
  for (const std::string& each : security::cells_of(member.cell)) {
    // Who reads the backbone reads all cells.
    const bool reads = member.role == "reader" || member.role == "keeper";
    if (reads && each == kBackboneName) continue;
    if (!runtime::is_cell_name(each))
      return {
          Errc::invalid_argument,
          "the cell \"" + each + "\": 1 to 64 letters, digits, '_', '.' or '-', and no '_' first"};
  }
  return {};
}

std::set<std::string> each_cell(const Certificate& member) {
  const std::vector<std::string> cells = security::cells_of(member.member()->cell);
  return {cells.begin(), cells.end()};
}

}  // namespace

Result<Fleet> Fleet::create(const std::string& folder, const Plan& plan, UtcMicros now) {
  const std::string& name = plan.name;
  if (!runtime::is_topic_level(name))
    return {Errc::invalid_argument,
            "the name of a fleet: 1 to 64 letters, digits, '_', '.' or '-'"};
  if (plan.broker_hosts.empty()) return {Errc::invalid_argument, "a broker needs a host name"};
  if (!plan.gateway.empty() && !security::is_gateway_url(plan.gateway))
    return {Errc::invalid_argument, "the gateway is https://HOST[:PORT]"};
  const security::Addresses addresses{
      "mqtts://" + plan.broker_hosts.front() + ":" + std::to_string(plan.broker_port),
      plan.gateway};
  DUNLIN_TRY(BrokerUrl::parse(addresses.broker));
  const Error exists{Errc::exists, folder + " holds a fleet"};
  if (fs::exists(key_path(folder))) return exists;
  std::error_code failed;
  const std::string root = fs::absolute(folder).lexically_normal().string();
  for (const char* each : {"/members", "/tokens", "/broker"}) {
    fs::create_directories(root + each, failed);
    if (failed) return {Errc::io, "cannot create " + root + each + ": " + failed.message()};
  }
  DUNLIN_ASSIGN(FolderLock lock, FolderLock::take(root));
  if (fs::exists(key_path(root)) || !fs::is_empty(root + "/members", failed) || failed)
    return exists;  // made meanwhile, or its key is elsewhere
  // The key comes last: without it this was not finished, and nobody has a log by it.
  for (const char* each : {"", "-wal", "-shm"}) {
    fs::remove(log_path(root) + each, failed);
    if (failed) return {Errc::io, log_path(root) + each + ": " + failed.message()};
  }
  DUNLIN_ASSIGN(std::unique_ptr<NodeKey> key, NodeKey::generate());
  DUNLIN_ASSIGN(std::string key_pem, key->to_pem());
  if (!plan.passphrase.empty()) {
    DUNLIN_ASSIGN(key_pem, security::lock_key(key_pem, plan.passphrase));
  }
  const security::Validity validity = long_validity(now);
  DUNLIN_ASSIGN(Authority authority, Authority::create(std::move(key), name, validity));
  Fleet fleet(std::move(lock), root, authority.certificate(), addresses, {});
  fleet.unlocked_ = std::move(authority);
  DUNLIN_TRY(fleet.make_broker(validity, plan.broker_hosts));
  DUNLIN_TRY(security::write_private_file(
      root + "/broker/mosquitto.conf",
      broker_configuration(root + "/broker", plan.broker_hosts, plan.broker_port, user_name())));
  DUNLIN_TRY(fleet.write_authority());
  DUNLIN_TRY(fleet.make_operator(validity));
  DUNLIN_TRY(AuthorityLog::create(log_path(root), fleet.unlocked_->key(), now, name));
  DUNLIN_TRY(fleet.write_rights());
  DUNLIN_TRY(security::write_private_file(key_path(root), key_pem));
  return fleet;
}

Result<Fleet> Fleet::open(const std::string& folder, Passphrase passphrase) {
  DUNLIN_ASSIGN(FolderLock lock, FolderLock::take(folder));
  DUNLIN_ASSIGN(const std::string text, read_file(certificate_path(folder)));
  const std::size_t armour = std::min(text.find("-----BEGIN"), text.size());
  DUNLIN_ASSIGN(Certificate authority,
                Certificate::from_pem(std::string_view(text).substr(armour)));
  return Fleet(std::move(lock), fs::absolute(folder).lexically_normal().string(),
               std::move(authority), security::read_addresses(text), std::move(passphrase));
}

Result<void> Fleet::unlock() {
  if (unlocked_) return {};
  DUNLIN_ASSIGN(std::string pem, security::read_private_file(key_path(folder_)));
  if (security::is_locked(pem)) {
    if (!passphrase_) return {Errc::invalid_argument, "the authority's key needs its passphrase"};
    DUNLIN_ASSIGN(const std::string passphrase, passphrase_());
    DUNLIN_ASSIGN(pem, security::unlock_key(pem, passphrase));
  }
  DUNLIN_ASSIGN(std::unique_ptr<NodeKey> key, NodeKey::from_pem(pem));
  DUNLIN_ASSIGN(unlocked_, Authority::load(std::move(key), authority_));
  return {};
}

Result<void> Fleet::write_authority() const {
  const std::string pem = authority_.to_pem();
  DUNLIN_TRY(security::write_private_file(folder_ + "/broker/fleet.crt", pem));
  return security::write_private_file(certificate_path(folder_), write_addresses(addresses_) + pem);
}

Result<void> Fleet::make_operator(security::Validity validity) {
  DUNLIN_ASSIGN(const std::unique_ptr<NodeKey> key, NodeKey::generate());
  DUNLIN_ASSIGN(const std::string pem, key->to_pem());
  DUNLIN_ASSIGN(
      const Certificate certificate,
      unlocked_->issue(key->public_key(), {name(), "", "operator", "operator"}, validity));
  DUNLIN_TRY(security::write_private_file(operator_path(folder_, "key"), pem));
  return security::write_private_file(operator_path(folder_, "crt"), certificate.to_pem());
}

// From 1970, too: a device has to trust its broker before it knows the time.
Result<void> Fleet::make_broker(security::Validity validity,
                                const std::vector<std::string>& hosts) {
  DUNLIN_ASSIGN(const std::unique_ptr<NodeKey> key, NodeKey::generate());
  DUNLIN_ASSIGN(const std::string pem, key->to_pem());
  DUNLIN_ASSIGN(
      const Certificate certificate,
      unlocked_->issue(key->public_key(), {name(), "", "broker", "broker"}, validity, hosts));
  DUNLIN_TRY(security::write_private_file(folder_ + "/broker/broker.key", pem));
  return security::write_private_file(broker_path(folder_), certificate.to_pem());
}

Result<void> Fleet::rotate(UtcMicros now) {
  DUNLIN_TRY(unlock());
  DUNLIN_ASSIGN(const std::string broker_pem, security::read_private_file(broker_path(folder_)));
  DUNLIN_ASSIGN(const Certificate broker, Certificate::from_pem(broker_pem));
  DUNLIN_ASSIGN(const std::string operator_pem,
                security::read_private_file(operator_path(folder_, "crt")));
  DUNLIN_ASSIGN(const Certificate former, Certificate::from_pem(operator_pem));
  const security::Validity validity = long_validity(now);
  DUNLIN_TRY(unlocked_->renew(validity));
  authority_ = unlocked_->certificate();
  DUNLIN_TRY(write_authority());
  DUNLIN_TRY(make_broker(validity, broker.hosts()));
  // First the former one is out: what comes after it can be done once more.
  DUNLIN_TRY(append(now, {former.node(), {}}));
  DUNLIN_TRY(make_operator(validity));
  return write_rights();
}

Result<std::optional<Certificate>> Fleet::holder(const Member& member) {
  DUNLIN_TRY(check_cells(member));
  if (member.role == "agent" || member.role == "keeper") {
    const std::vector<std::string> cells = security::cells_of(member.cell);
    const bool backbone = member.role == "keeper" && cells.size() == 2 && cells[1] == kBackboneName;
    if ((cells.size() != 1 && !backbone) || cells[0] == kBackboneName)
      return {Errc::invalid_argument, "an agent has one cell; a keeper of all, _core behind it"};
  }
  const auto printable = [](unsigned char c) { return c >= ' ' && c != 0x7f; };
  if (member.name.empty() || member.name.size() > kNameBytesMax || !is_utf8(member.name) ||
      !std::all_of(member.name.begin(), member.name.end(), printable))
    return {Errc::invalid_argument, "the name of a member: 1 to 128 bytes of printable UTF-8"};
  DUNLIN_ASSIGN(std::vector<Certificate> known, members());
  DUNLIN_ASSIGN(const auto gone, revocations());
  for (Certificate& other : known) {
    if (gone.contains(other.node())) continue;
    if (other.member()->cell == member.cell && other.member()->name == member.name)
      return std::optional(std::move(other));
  }
  return std::optional<Certificate>();
}

Result<void> Fleet::check_free(const Member& member, const NodeId& node) {
  DUNLIN_ASSIGN(const std::optional<Certificate> other, holder(member));
  if (!other || other->node() == node) return {};
  return {Errc::exists, "cell " + member.cell + " has a " + member.name};
}

Result<void> Fleet::check_inviting(const Member& member, UtcMicros now) {
  DUNLIN_ASSIGN(const std::optional<Certificate> other, holder(member));
  if (!other || other->validity().until < now) return {};
  return {Errc::exists, "cell " + member.cell + " has a " + member.name};
}

Result<Certificate> Fleet::issue(ByteView public_key, const Member& member, UtcMicros now, int days,
                                 const std::vector<std::string>& hosts) {
  DUNLIN_TRY(unlock());
  // A day back: its broker's clock may be behind this one.
  const UtcMicros from = member.role == "gateway" ? 0 : now - kDay;
  DUNLIN_ASSIGN(Certificate certificate,
                unlocked_->issue(public_key, member, {from, now + days * kDay}, hosts));
  DUNLIN_TRY(
      security::write_private_file(member_path(folder_, certificate.node()), certificate.to_pem()));
  return certificate;
}

Result<Certificate> Fleet::admit(ByteView public_key, const Member& member, UtcMicros now, int days,
                                 const std::vector<std::string>& hosts) {
  DUNLIN_TRY(check_free(member, node_id_of(public_key)));
  DUNLIN_ASSIGN(Certificate certificate, issue(public_key, member, now, days, hosts));
  DUNLIN_TRY(write_rights());
  return certificate;
}

Result<security::Bundle> Fleet::add(const Member& member, UtcMicros now, int days,
                                    const std::vector<std::string>& hosts) {
  DUNLIN_ASSIGN(const std::unique_ptr<NodeKey> key, NodeKey::generate());
  DUNLIN_ASSIGN(std::string key_pem, key->to_pem());
  DUNLIN_ASSIGN(Certificate certificate, admit(key->public_key(), member, now, days, hosts));
  return security::Bundle{{std::move(certificate), authority(), addresses_}, std::move(key_pem)};
}

Result<Certificate> Fleet::member(const NodeId& node) const {
  const std::string path = member_path(folder_, node);
  DUNLIN_ASSIGN(const std::string pem, security::read_private_file(path));
  DUNLIN_ASSIGN(Certificate certificate, Certificate::from_pem(pem));
  DUNLIN_TRY(verify(certificate, authority(), std::nullopt));
  if (certificate.node() != node) return {Errc::untrusted, path + " is of another node"};
  return certificate;
}

Result<Certificate> Fleet::renew(const NodeId& node, UtcMicros now, int days) {
  DUNLIN_ASSIGN(const Certificate former, member(node));
  DUNLIN_ASSIGN(const auto gone, revocations());
  if (gone.contains(node)) return {Errc::revoked, node.to_string() + " was revoked"};
  if (former.validity().until < now)
    return {Errc::expired, "the certificate of " + node.to_string() + " is over"};
  return issue(former.public_key(), *former.member(), now, days, former.hosts());
}

Result<std::string> Fleet::answer(const Certificate& certificate) {
  DUNLIN_TRY(unlock());
  return write_answer({certificate, authority_, addresses_}, unlocked_->key());
}

Result<std::vector<Certificate>> Fleet::members() const {
  std::vector<Certificate> found;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(folder_ + "/members", failed)) {
    if (entry.path().extension() != ".crt") continue;
    DUNLIN_ASSIGN(const std::string pem, read_file(entry.path().string()));
    Result<Certificate> certificate = Certificate::from_pem(pem);
    const Result<void> ours = certificate.ok() ? verify(*certificate, authority(), std::nullopt)
                                               : Result<void>(certificate.error());
    if (!ours.ok())
      return Error{ours.error().code, entry.path().string() + ": " + ours.error().context};
    found.push_back(*std::move(certificate));
  }
  if (failed) return {Errc::io, folder_ + "/members: " + failed.message()};
  std::sort(found.begin(), found.end(), [](const Certificate& a, const Certificate& b) {
    const auto order = [](const Certificate& c) {
      return std::tuple(c.member()->cell, c.member()->name, c.node());
    };
    return order(a) < order(b);
  });
  return found;
}

Result<AuthorityLog> Fleet::log() const {
  return AuthorityLog::open(log_path(folder_), authority_.node());
}

Result<void> Fleet::append(UtcMicros now, Revoke revoke) {
  DUNLIN_TRY(unlock());
  DUNLIN_ASSIGN(AuthorityLog written, log());
  return written.append(now, std::move(revoke), unlocked_->key());
}

Result<std::map<NodeId, Revoke>> Fleet::revocations() {
  DUNLIN_ASSIGN(AuthorityLog written, log());
  return written.revocations();
}

Result<void> Fleet::revoke(const NodeId& node, std::vector<Revoke::End> ends, UtcMicros now) {
  DUNLIN_TRY(append(now, {node, std::move(ends)}));
  return write_rights();
}

Result<void> Fleet::publish() && {
  // Whoever appended to the log may have been killed before it said so to the broker.
  DUNLIN_TRY(write_rights());
  DUNLIN_ASSIGN(const std::vector<Certificate> known, members());
  std::set<std::string> cells;
  for (const Certificate& member : known) cells.merge(each_cell(member));
  if (cells.empty()) return {};
  DUNLIN_ASSIGN(AuthorityLog written, log());
  DUNLIN_ASSIGN(const Bytes message, written.message());
  TransportOptions how;
  how.url = addresses_.broker;
  how.client_id = "dunlin-operator-" + authority().node().to_string().substr(0, 7);
  how.seed = security::random_u64();
  how.ca_file = folder_ + "/broker/fleet.crt";
  how.cert_file = operator_path(folder_, "crt");
  how.key_file = operator_path(folder_, "key");
  { const FolderLock given_back(std::move(lock_)); }
  return cli::publish(std::move(how), name(), authority().node(), cells, message);
}

Result<void> Fleet::write_rights() {
  DUNLIN_ASSIGN(std::vector<Certificate> known, members());
  DUNLIN_ASSIGN(const auto gone, revocations());
  std::erase_if(known, [&](const Certificate& each) { return gone.contains(each.node()); });
  const std::string at = folder_ + "/broker/";
  DUNLIN_ASSIGN(const std::string pem, security::read_private_file(operator_path(folder_, "crt")));
  DUNLIN_ASSIGN(const Certificate me, Certificate::from_pem(pem));
  DUNLIN_TRY(security::write_private_file(
      at + "acl", broker_rights(name(), authority().node(), me.node(), known)));
  const Result<void> told = reload_broker(at + "mosquitto.pid");
  if (!told.ok()) log::warn("broker_not_reloaded", {{"reason", told.error().message()}});
  return {};
}

}  // namespace dunlin::cli
