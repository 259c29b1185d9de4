#include "common/runtime/node_config.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "common/replication/messages.h"
#include "common/runtime/topics.h"
#include "common/security/private_file.h"
#include "common/storage/shard_files.h"
#include "common/transport/mqtt/broker_url.h"

namespace dunlin::runtime {

namespace {

constexpr Overflow kOverflows[] = {Overflow::drop_oldest, Overflow::refuse_new,
                                   Overflow::drop_alternate};

std::string host_name() {
  char name[256] = "";
  if (::gethostname(name, sizeof name - 1) != 0) return "node";
  return name;
}

// Whose member this machine is: by its data directory, or else by the bundle that is to go there.
// Of two certificates of one node the one counts that is valid for longer.
std::optional<security::Membership> read_membership(config::Table& node, Role role,
                                                    NodeConfig& out) {
  const std::string bundle_file = node.text("bundle");
  const auto wrong = [&](const char* key, const std::string& what) {
    node.mistake(key, what);
    return std::optional<security::Membership>();
  };
  Result<std::optional<security::Membership>> there =
      security::load_membership(out.database.data_dir);
  const bool in_part = !there.ok() && there.error().code == Errc::not_found;
  if (!there.ok() && (!in_part || bundle_file.empty()))
    return wrong("data_dir", there.error().message());
  std::optional<security::Membership> membership;
  if (there.ok()) membership = *std::move(there);
  const bool installed = membership.has_value();
  const Result<std::string> text = security::read_private_file(bundle_file);
  // Once it is installed it may go.
  if (!bundle_file.empty() && (text.ok() || !installed)) {
    if (!text.ok()) return wrong("bundle", text.error().message());
    Result<security::Bundle> bundle = security::read_bundle(*text);
    if (!bundle.ok()) return wrong("bundle", bundle.error().message());
    if (installed && bundle->membership.certificate.node() != membership->certificate.node())
      return wrong("bundle", "is of another node than " + out.database.data_dir + " belongs to");
    const auto until = [](const security::Membership& each) {
      return each.certificate.validity().until;
    };
    if (!installed || until(bundle->membership) > until(*membership)) {
      membership = bundle->membership;
      out.bundle = *std::move(bundle);
    }
  }
  if (!membership) return membership;
  const std::string wanted = role == Role::gateway ? "gateway" : "agent";
  const std::string& certified = membership->certificate.member()->role;
  if (certified != wanted && !(role == Role::agent && certified == "keeper"))
    return wrong(out.bundle ? "bundle" : "data_dir",
                 "its certificate is for the role " + certified);
  return membership;
}

// A keeper's certificate says what it may keep, and that is what it keeps.
void read_interest(config::Table& root, config::Table& node, const security::Member* member,
                   DatabaseOptions& out) {
  const bool keeper = member != nullptr && member->role == "keeper";
  const auto certified = [&](std::string_view cell) {
    const std::vector<std::string> cells = security::cells_of(member->cell);
    return std::find(cells.begin(), cells.end(), cell) != cells.end();
  };
  const std::string standard = !keeper ? "own" : certified(kBackboneName) ? "fleet" : "cell";
  const std::string name = node.choice("interest", standard, {"own", "cell", "fleet"});
  out.interest = name == "fleet"  ? InterestScope::fleet
                 : name == "cell" ? InterestScope::cell
                                  : InterestScope::own;
  for (config::Table& table : root.tables("follow")) {
    if (member != nullptr && !keeper)
      table.mistake("node", "this node's certificate is for the role agent");
    if (out.follows.size() == replication::kFollowsMax)
      table.mistake("node", "more than " + std::to_string(replication::kFollowsMax) + " nodes");
    out.follows.push_back({table.required_text("node"), table.text("track")});
  }
  if (member == nullptr) return;
  if (out.interest != InterestScope::own && !keeper)
    node.mistake("interest", "its certificate is for the role agent");
  else if (out.interest == InterestScope::fleet && !certified(kBackboneName))
    node.mistake("interest", "its certificate says \"" + member->cell + "\", without _core");
}

void read_node(config::Table& root, Role role, NodeConfig& out) {
  config::Table node = root.table("node");
  DatabaseOptions& options = out.database;
  options.data_dir = node.required_text("data_dir");
  const std::optional<security::Membership> membership = read_membership(node, role, out);
  const security::Member* member = membership ? &*membership->certificate.member() : nullptr;
  const auto certified = [&](const char* key, const std::string& value, const std::string& by) {
    if (member != nullptr && value != by) node.mistake(key, "its certificate says \"" + by + "\"");
  };
  options.name = node.text("name", member != nullptr ? member->name : host_name());
  options.fleet = node.text("fleet", member != nullptr ? member->fleet : "default");
  if (!is_topic_level(options.fleet))
    node.mistake("fleet", "1 to 64 letters, digits, '_', '.' or '-'");
  const std::string cell = member != nullptr ? member->cell : "default";
  if (role == Role::gateway) {
    options.cells = node.texts("cells");
    if (options.cells.empty()) options.cells = security::cells_of(cell);
  } else {
    options.cells = {node.text("cell", security::cells_of(cell).front())};
    read_interest(root, node, member, options);
  }
  for (const std::string& each : options.cells) {
    if (!is_cell_name(each)) {
      node.mistake(role == Role::gateway ? "cells" : "cell",
                   "1 to 64 letters, digits, '_', '.' or '-', and no '_' first");
    }
  }
  if (member == nullptr) return;
  certified("name", options.name, member->name);
  certified("fleet", options.fleet, member->fleet);
  std::vector<std::string> cells = security::cells_of(cell);
  if (role == Role::agent) cells.resize(1);
  if (options.cells != cells)
    node.mistake(role == Role::gateway ? "cells" : "cell", "its certificate says \"" + cell + "\"");
  options.broker_url = membership->addresses.broker;
  out.member_files = {security::certificate_file(options.data_dir),
                      security::key_file(options.data_dir),
                      security::authority_file(options.data_dir)};
  options.transport.ca_file = out.member_files.authority;
  options.transport.cert_file = out.member_files.certificate;
  options.transport.key_file = out.member_files.key;
}

void read_broker(config::Table broker, NodeConfig& out) {
  DatabaseOptions& options = out.database;
  std::vector<std::string> urls = broker.text_or_texts("url");
  // By the bundle, if there is one.
  if (urls.empty())
    urls = {options.broker_url.empty() ? "mqtt://127.0.0.1:1883" : options.broker_url};
  options.broker_url = urls.front();
  options.transport.more_urls.assign(urls.begin() + 1, urls.end());
  options.transport.username = broker.text("username");
  options.transport.plain = broker.boolean("plain", false);
  for (const std::string& text : urls) {
    const Result<BrokerUrl> url = BrokerUrl::parse(text);
    if (!url.ok()) {
      broker.mistake("url", url.error().message());
    } else if (!url->tls && !out.member_files.certificate.empty()) {
      broker.mistake("url", "a member of a fleet speaks TLS: mqtts://");
    } else if (url->is_exposed() && !options.transport.plain) {
      broker.mistake("url", "plain TCP to another machine: mqtts://, or plain = true");
    }
  }
  const std::string password_file = broker.text("password_file");
  if (!password_file.empty()) {
    std::ifstream file(password_file);
    if (!std::getline(file, options.transport.password))
      broker.mistake("password_file", "cannot be read");
  }
  options.transport.ca_file = broker.text("ca_file", options.transport.ca_file);
  options.transport.cert_file = broker.text("cert_file", options.transport.cert_file);
  options.transport.key_file = broker.text("key_file", options.transport.key_file);
  const auto protocol = broker.integer("protocol", 5, 4, 5);
  options.transport.protocol = static_cast<int>(protocol);
  options.transport.qos_max = static_cast<int>(broker.integer("qos", 1, 0, 1));
}

void read_archive(config::Table archive, DatabaseOptions& options) {
  options.archive_gateways = archive.texts("gateways");
  std::set<NodeId> once;
  for (const std::string& gateway : options.archive_gateways) {
    const Result<NodeId> id = NodeId::from_string(gateway);
    if (!id.ok()) archive.mistake("gateways", "node ids of 32 hexadecimal digits");
    if (id.ok() && !once.insert(*id).second) archive.mistake("gateways", "every gateway once");
  }
  const std::size_t most = options.archive_gateways.empty() ? 16 : options.archive_gateways.size();
  options.archive_acks =
      static_cast<std::size_t>(archive.integer("acks", 1, 1, static_cast<std::int64_t>(most)));
}

Overflow read_overflow(config::Table& table, Overflow standard) {
  std::vector<std::string> names;
  for (const Overflow each : kOverflows) names.emplace_back(to_string(each));
  const std::string name = table.choice("overflow", std::string(to_string(standard)), names);
  return *std::find_if(std::begin(kOverflows), std::end(kOverflows),
                       [&](Overflow each) { return to_string(each) == name; });
}

TrackOptions read_track(config::Table& track, Overflow overflow) {
  TrackOptions out;
  out.name = track.required_text("name");
  out.flush_readings = static_cast<std::uint32_t>(track.integer("flush_readings", 1000, 1, 1000));
  const std::uint64_t bytes = track.size("flush_bytes", out.flush_bytes);
  if (bytes < 64 || bytes > 46 * 1024) track.mistake("flush_bytes", "from 64 to 46KiB");
  out.flush_bytes = static_cast<std::uint32_t>(bytes);
  out.flush_interval = track.duration("flush_interval", out.flush_interval);
  out.bytes_max = track.size("max_bytes", 0);
  out.age_max = track.duration("max_age", std::chrono::microseconds{0});
  out.overflow = read_overflow(track, overflow);
  return out;
}

}  // namespace

NodeConfig read_node_config(config::Table& root, Role role) {
  NodeConfig out;
  DatabaseOptions& options = out.database;
  options.role = role;
  read_node(root, role, out);
  read_broker(root.table("broker"), out);

  config::Table storage = root.table("storage");
  options.bytes_max = storage.size("max_bytes", role == Role::gateway ? 0 : options.bytes_max);
  if (options.bytes_max != 0 && options.bytes_max < 1024 * 1024)
    storage.mistake("max_bytes", "at least 1MiB, or 0");
  options.disk_free_min = storage.size("min_free_bytes", options.disk_free_min);
  if (role == Role::gateway)
    options.shards = static_cast<std::size_t>(storage.integer("shards", 1, 1, storage::kShardsMax));
  const Overflow overflow = read_overflow(storage, Overflow::drop_oldest);

  options.tracks.clear();
  bool samples = false;
  for (config::Table& track : root.tables("track")) {
    options.tracks.push_back(read_track(track, overflow));
    samples = samples || options.tracks.back().name == "samples";
  }
  if (!samples) {
    TrackOptions standard;
    standard.overflow = overflow;
    options.tracks.insert(options.tracks.begin(), standard);
  }
  for (config::Table& stream : root.tables("stream")) {
    const std::string name = stream.required_text("name");
    const std::string track = stream.text("track", "samples");
    const bool known = std::any_of(options.tracks.begin(), options.tracks.end(),
                                   [&](const TrackOptions& t) { return t.name == track; });
    if (!known) stream.mistake("track", "no [[track]] has this name");
    options.stream_tracks[name] = track;
  }

  if (role == Role::agent) read_archive(root.table("archive"), options);

  config::Table http = root.table("http");
  out.http_listen = http.text("listen", role == Role::gateway ? "127.0.0.1:7380" : "");
  out.http_exposed = !out.http_listen.empty() && !is_loopback_address(out.http_listen);
  if (!http.boolean("plain", false) && out.http_exposed)
    http.mistake("listen", "plain TCP to other machines: [https], or plain = true");
  if (role == Role::gateway) {
    config::Table https = root.table("https");
    out.https_listen = https.text("listen");
    if (!out.https_listen.empty() && out.member_files.certificate.empty())
      https.mistake("listen", "without the certificate of a fleet: bundle in [node]");
    config::Table enrol = root.table("enrol");
    out.issuer = enrol.text("issuer");
    constexpr std::string_view kScheme = "http://";
    const bool http_url = out.issuer.starts_with(kScheme);
    if (!out.issuer.empty() &&
        !(http_url && is_loopback_address(std::string_view(out.issuer).substr(kScheme.size()))))
      enrol.mistake("issuer", "http://127.0.0.1:PORT, on this machine");
    if (!out.issuer.empty() && out.https_listen.empty())
      enrol.mistake("issuer", "devices enrol over HTTPS: listen in [https]");
  }
  config::Table logging = root.table("log");
  out.log_level =
      log::level_from(logging.choice("level", "info", {"debug", "info", "warn", "error"})).value();
  out.log_format = log::format_from(logging.choice("format", "logfmt", {"logfmt", "json"})).value();
  return out;
}

}  // namespace dunlin::runtime
