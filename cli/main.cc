#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "cli/fleet.h"
#include "cli/gateway.h"
#include "common/runtime/version.h"
#include "common/security/private_file.h"

namespace {

using namespace dunlin;

constexpr int kOk = 0, kFailure = 1, kUsage = 2;

UtcMicros utc_now() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string day_of(UtcMicros time) {
  const std::chrono::year_month_day date(std::chrono::floor<std::chrono::days>(
      std::chrono::sys_seconds(std::chrono::seconds(time / 1'000'000))));
  char text[32];
  std::snprintf(text, sizeof text, "%04d-%02u-%02u", int(date.year()), unsigned(date.month()),
                unsigned(date.day()));
  return text;
}

int fail(const Error& error) {
  std::fprintf(stderr, "dunlin: %s\n", error.message().c_str());
  return error.code == Errc::invalid_argument ? kUsage : kFailure;
}

struct Asked {
  std::string folder = "fleet";
  std::string name;
  cli::Fleet::Broker broker{{"127.0.0.1", "localhost"}, 8883};
  std::string cell;  // "" = default, or any
  bool gateway = false;
  bool reader = false;
  std::vector<std::string> hosts;
  int days = 825;
  std::string out;
  std::string gateway_url = "http://127.0.0.1:7380";
  bool nothing_counts = false;
  bool json = false;
};

// A fleet, who has a certificate of it, and who was revoked.
struct Opened {
  cli::Fleet fleet;
  std::vector<security::Certificate> members;
  std::map<NodeId, Revoke> revoked;
};

Result<Opened> open(const Asked& asked) {
  DUNLIN_ASSIGN(cli::Fleet fleet, cli::Fleet::open(asked.folder));
  DUNLIN_ASSIGN(auto members, fleet.members());
  DUNLIN_ASSIGN(auto revoked, fleet.revocations());
  return Opened{std::move(fleet), std::move(members), std::move(revoked)};
}

int init(const Asked& asked) {
  const auto fleet = cli::Fleet::create(asked.folder, asked.name, asked.broker, utc_now());
  if (!fleet.ok()) return fail(fleet.error());
  std::printf("fleet %s in %s\nbroker: mosquitto -c %s/broker/mosquitto.conf\n",
              fleet->name().c_str(), fleet->folder().c_str(), fleet->folder().c_str());
  return kOk;
}

int show(const Asked& asked) {
  const auto opened = open(asked);
  if (!opened.ok()) return fail(opened.error());
  const auto& [fleet, members, revoked] = *opened;
  if (asked.json) {
    nlohmann::json out{{"fleet", fleet.name()},
                       {"authority", fleet.authority().node().to_string()},
                       {"valid_until_us", fleet.authority().validity().until},
                       {"broker", fleet.broker_url()},
                       {"members", nlohmann::json::array()}};
    for (const security::Certificate& each : members) {
      const security::Member& member = *each.member();
      out["members"].push_back({{"node", each.node().to_string()},
                                {"name", member.name},
                                {"cell", member.cell},
                                {"role", member.role},
                                {"valid_until_us", each.validity().until},
                                {"revoked", revoked.contains(each.node())}});
    }
    std::printf("%s\n", out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
    return kOk;
  }
  std::printf("fleet      %s\nauthority  %s, until %s\nbroker     %s\n\n", fleet.name().c_str(),
              fleet.authority().node().to_string().c_str(),
              day_of(fleet.authority().validity().until).c_str(), fleet.broker_url().c_str());
  std::printf("%-32s  %-8s %-12s %-10s %s\n", "node", "role", "cell", "until", "name");
  for (const security::Certificate& each : members) {
    const security::Member& member = *each.member();
    std::printf("%-32s  %-8s %-12s %-10s %s\n", each.node().to_string().c_str(),
                member.role.c_str(), member.cell.c_str(),
                revoked.contains(each.node()) ? "revoked" : day_of(each.validity().until).c_str(),
                member.name.c_str());
  }
  return kOk;
}

int export_authority(const Asked& asked) {
  const auto fleet = cli::Fleet::open(asked.folder);
  if (!fleet.ok()) return fail(fleet.error());
  std::printf("%s", fleet->authority().to_pem().c_str());
  return kOk;
}

int publish(cli::Fleet& fleet) {
  const Result<void> published = fleet.publish();
  if (published.ok()) return kOk;
  std::fprintf(stderr, "dunlin: not published: %s\nrun `dunlin fleet publish` again\n",
               published.error().message().c_str());
  return kFailure;
}

int publish(const Asked& asked) {
  auto fleet = cli::Fleet::open(asked.folder);
  return fleet.ok() ? publish(*fleet) : fail(fleet.error());
}

// The one member of that node id, or else of that name.
Result<NodeId> find_member(const Opened& opened, const Asked& asked) {
  std::vector<NodeId> found;
  for (const security::Certificate& each : opened.members) {
    const NodeId node = each.node();
    if (opened.revoked.contains(node)) continue;
    if (node.to_string() == asked.name) return node;
    const security::Member& member = *each.member();
    if (member.name == asked.name && (asked.cell.empty() || member.cell == asked.cell))
      found.push_back(node);
  }
  if (found.size() == 1) return found[0];
  return {Errc::invalid_argument,
          found.empty() ? "no member is named " + asked.name
                        : "several cells have a " + asked.name + ": --cell says which"};
}

int revoke(const Asked& asked) {
  auto opened = open(asked);
  if (!opened.ok()) return fail(opened.error());
  const Result<NodeId> node = find_member(*opened, asked);
  if (!node.ok()) return fail(node.error());
  Result<std::vector<Revoke::End>> ends = std::vector<Revoke::End>();
  if (!asked.nothing_counts) ends = cli::ends_of(asked.gateway_url, *node);
  if (ends.ok() && ends->empty() && !asked.nothing_counts)
    ends = Error{Errc::not_found, asked.gateway_url + " has nothing of " + node->to_string()};
  if (!ends.ok()) {
    std::fprintf(stderr, "dunlin: another --gateway, or --nothing-counts\n");
    return fail(ends.error());
  }
  const std::size_t logs = ends->size();
  const Result<void> done = opened->fleet.revoke(*node, *std::move(ends), utc_now());
  if (!done.ok()) return fail(done.error());
  std::printf("revoked %s; what counts of it: %zu logs, as %s has them\n",
              node->to_string().c_str(), logs,
              asked.nothing_counts ? "nobody" : asked.gateway_url.c_str());
  return publish(opened->fleet);
}

int add(const Asked& asked) {
  auto fleet = cli::Fleet::open(asked.folder);
  if (!fleet.ok()) return fail(fleet.error());
  const std::string role = asked.gateway ? "gateway" : asked.reader ? "reader" : "agent";
  const security::Member member{fleet->name(), asked.cell.empty() ? "default" : asked.cell, role,
                                asked.name};
  const auto bundle = fleet->add(member, utc_now(), asked.days, asked.hosts);
  if (!bundle.ok()) return fail(bundle.error());
  const std::string path = asked.out.empty() ? asked.name + ".bundle" : asked.out;
  const Result<void> written = security::write_private_file(path, write_bundle(*bundle));
  if (!written.ok()) return fail(written.error());
  std::printf("%s %s\nbundle: %s\nthe broker knows it after: kill -HUP (mosquitto)\n", role.c_str(),
              bundle->membership.certificate.node().to_string().c_str(), path.c_str());
  return kOk;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("dunlin: makes a fleet and looks after it");
  app.require_subcommand(1);
  Asked asked;
  const auto in_folder = [&](CLI::App* command) {
    command->add_option("--dir", asked.folder, "the fleet's folder (fleet)");
    return command;
  };
  CLI::App* fleet = app.add_subcommand("fleet", "the fleet's authority")->require_subcommand(1);
  CLI::App* init_command = in_folder(
      fleet->add_subcommand("init", "make a fleet: its authority and its broker's files"));
  init_command->add_option("name", asked.name, "of the fleet")->required();
  init_command->add_option("--broker", asked.broker.hosts,
                           "names and addresses of the broker (127.0.0.1 localhost)");
  init_command->add_option("--port", asked.broker.port, "of the broker (8883)");
  CLI::App* show_command =
      in_folder(fleet->add_subcommand("show", "the authority and its members"));
  show_command->add_flag("--json", asked.json);
  CLI::App* export_command =
      in_folder(fleet->add_subcommand("export", "print the authority's certificate"));
  CLI::App* device = app.add_subcommand("device", "members")->require_subcommand(1);
  CLI::App* add_command = in_folder(
      device->add_subcommand("add", "make a member; writes the bundle that the device is given"));
  add_command->add_option("name", asked.name, "of the device")->required();
  add_command->add_option("--cell", asked.cell, "of a gateway: its cells, with commas (default)");
  CLI::Option* gateway =
      add_command->add_flag("--gateway", asked.gateway, "a gateway, not an agent");
  add_command->add_flag("--reader", asked.reader, "no node: may read gateways over HTTPS")
      ->excludes(gateway);
  add_command->add_option("--host", asked.hosts, "names and addresses under which it serves HTTPS");
  add_command->add_option("--days", asked.days, "that its certificate is valid (825)")
      ->check(CLI::Range(1, 7300));
  add_command->add_option("--out", asked.out, "the bundle (NAME.bundle)");
  CLI::App* publish_command = in_folder(fleet->add_subcommand(
      "publish", "have the broker keep the authority's log, for who comes later"));
  CLI::App* revoke_command = in_folder(device->add_subcommand(
      "revoke", "cut a member off: what a gateway has of it counts, and nothing after that"));
  revoke_command->add_option("name", asked.name, "of the device, or its node id")->required();
  revoke_command->add_flag("--nothing-counts", asked.nothing_counts,
                           "not even what gateways have of it: queries leave all of it out");
  revoke_command->add_option("--cell", asked.cell, "when several cells have one of that name");
  revoke_command->add_option("--gateway", asked.gateway_url,
                             "that says what counts (http://127.0.0.1:7380)");
  CLI::App* version = app.add_subcommand("version", "print the version");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kOk : kUsage;
  }
  if (version->parsed()) return std::printf("dunlin %s (%s)\n", kVersion, kRevision), kOk;
  if (init_command->parsed()) return init(asked);
  if (show_command->parsed()) return show(asked);
  if (export_command->parsed()) return export_authority(asked);
  if (publish_command->parsed()) return publish(asked);
  if (revoke_command->parsed()) return revoke(asked);
  return add_command->parsed() ? add(asked) : kUsage;
}
