#include <cstdio>
#include <memory>

#include "cli/commands.h"
#include "cli/fleet.h"
#include "cli/gateway.h"
#include "cli/passphrase.h"
#include "cli/wifi.h"
#include "common/base/wall_clock.h"
#include "common/security/private_file.h"

namespace dunlin::cli {

namespace {

struct Asked {
  std::string folder = "fleet";
  std::string passphrase_file;
  std::string name;
  std::string cell;  // "" = default, or any
  bool gateway = false;
  bool reader = false;
  bool keeper = false;
  std::vector<std::string> hosts;
  int days = 825;
  std::string out;
  std::string file;  // to be renewed
  std::string wifi_network;
  std::string wifi_passphrase_file;
  std::string gateway_url = "http://127.0.0.1:7380";
  bool nothing_counts = false;
};

// The certificate of the one member of that node id, or else of that name.
Result<security::Certificate> find_member(const Asked& asked) {
  DUNLIN_ASSIGN(Fleet fleet, Fleet::open(asked.folder));
  DUNLIN_ASSIGN(const auto members, fleet.members());
  DUNLIN_ASSIGN(const auto revoked, fleet.revocations());
  std::vector<security::Certificate> found;
  for (const security::Certificate& each : members) {
    const NodeId node = each.node();
    if (revoked.contains(node)) continue;
    if (node.to_string() == asked.name) return each;
    const security::Member& member = *each.member();
    if (member.name == asked.name && (asked.cell.empty() || member.cell == asked.cell))
      found.push_back(each);
  }
  if (found.size() == 1) return found[0];
  return {Errc::invalid_argument,
          found.empty() ? "no member is named " + asked.name
                        : "several cells have a " + asked.name + ": --cell says which"};
}

int revoke(const Asked& asked) {
  const Result<security::Certificate> member = find_member(asked);
  if (!member.ok()) return fail(member.error());
  const NodeId node = member->node();
  const bool has_logs = member->member()->role != "reader";
  Result<std::vector<Revoke::End>> ends = std::vector<Revoke::End>();
  // While nobody has to wait for the folder.
  if (has_logs && !asked.nothing_counts) {
    ends = ends_of(asked.gateway_url, node);
    if (ends.ok() && ends->empty())
      ends = Error{Errc::not_found, asked.gateway_url + " has nothing of " + node.to_string()};
  }
  if (!ends.ok()) {
    std::fprintf(stderr, "dunlin: another --gateway, or --nothing-counts\n");
    return fail(ends.error());
  }
  const std::size_t logs = ends->size();
  auto fleet = Fleet::open(asked.folder, passphrase_from(asked.passphrase_file));
  if (!fleet.ok()) return fail(fleet.error());
  const Result<void> done = fleet->revoke(node, *std::move(ends), utc_now());
  if (!done.ok()) return fail(done.error());
  std::printf("revoked %s; what counts of it: %zu logs, as %s has them\n", node.to_string().c_str(),
              logs, logs == 0 ? "nobody" : asked.gateway_url.c_str());
  const Result<void> published = std::move(*fleet).publish();
  if (published.ok()) return kOk;
  std::fprintf(stderr, "dunlin: revoked here, not published: run `dunlin fleet publish` again\n");
  return fail(published.error());
}

int add(const Asked& asked) {
  std::optional<security::Wifi> wifi;
  if (!asked.wifi_network.empty()) {
    auto known = read_wifi(asked.wifi_network, asked.wifi_passphrase_file);
    if (!known.ok()) return fail(known.error());
    wifi = *std::move(known);
  }
  auto fleet = Fleet::open(asked.folder, passphrase_from(asked.passphrase_file));
  if (!fleet.ok()) return fail(fleet.error());
  const std::string role = asked.gateway  ? "gateway"
                           : asked.reader ? "reader"
                           : asked.keeper ? "keeper"
                                          : "agent";
  const security::Member member{fleet->name(), asked.cell.empty() ? "default" : asked.cell, role,
                                asked.name};
  auto bundle = fleet->add(member, utc_now(), asked.days, asked.hosts);
  if (!bundle.ok()) return fail(bundle.error());
  bundle->wifi = std::move(wifi);
  const std::string path = asked.out.empty() ? asked.name + ".bundle" : asked.out;
  const Result<void> written = security::write_private_file(path, write_bundle(*bundle));
  if (!written.ok()) return fail(written.error());
  std::printf("%s %s\nbundle: %s\nthe broker knows it after: kill -HUP (mosquitto)\n", role.c_str(),
              bundle->membership.certificate.node().to_string().c_str(), path.c_str());
  return kOk;
}

// What a member is to have: its latest certificate while that lasts, or else a new one, also after
// the end of the former one unless another has its name by now.
Result<security::Certificate> lasting(const Asked& asked, const security::Certificate& shown) {
  DUNLIN_ASSIGN(Fleet fleet, Fleet::open(asked.folder, passphrase_from(asked.passphrase_file)));
  DUNLIN_TRY(verify(shown, fleet.authority(), std::nullopt));
  DUNLIN_ASSIGN(const auto revoked, fleet.revocations());
  if (revoked.contains(shown.node()))
    return {Errc::revoked, shown.node().to_string() + " was revoked"};
  DUNLIN_ASSIGN(security::Certificate latest, fleet.member(shown.node()));
  const UtcMicros now = utc_now();
  const UtcMicros third = asked.days * UtcMicros{86'400'000'000} / 3;
  if (now < latest.validity().until - third) return latest;
  return fleet.admit(latest.public_key(), *latest.member(), now, asked.days, latest.hosts());
}

int renew(const Asked& asked) {
  const Result<std::string> text = security::read_private_file(asked.file);
  if (!text.ok()) return fail(text.error());
  Result<security::Bundle> bundle = security::read_bundle(*text);
  const Result<security::Certificate> shown =
      bundle.ok() ? bundle->membership.certificate : security::Certificate::from_pem(*text);
  if (!shown.ok()) return fail({shown.error().code, asked.file + ": " + shown.error().context});
  const Result<security::Certificate> latest = lasting(asked, *shown);
  if (!latest.ok()) return fail(latest.error());
  const bool renewed = latest->der() != shown->der();
  if (renewed) {
    if (bundle.ok()) bundle->membership.certificate = *latest;
    const Result<void> written = security::write_private_file(
        asked.file, bundle.ok() ? write_bundle(*bundle) : latest->to_pem());
    if (!written.ok()) return fail(written.error());
  }
  std::printf("%s%s: valid until %s\n", renewed ? "" : "not yet: ", latest->member()->name.c_str(),
              day_of(latest->validity().until).c_str());
  return kOk;
}

}  // namespace

void add_device_commands(CLI::App& app, Command& chosen) {
  const auto asked = std::make_shared<Asked>();
  CLI::App* device = app.add_subcommand("device", "members")->require_subcommand(1);
  CLI::App* command =
      device->add_subcommand("add", "make a member; writes the bundle that the device is given");
  add_folder(command, asked->folder);
  add_passphrase(command, asked->passphrase_file);
  command->add_option("name", asked->name, "of the device")->required();
  command->add_option(
      "--cell", asked->cell,
      "of a gateway or reader: its cells, with commas (default). _core: a reader, or behind "
      "its cell a keeper, of all");
  CLI::Option* gateway = command->add_flag("--gateway", asked->gateway, "a gateway, not an agent");
  CLI::Option* reader = command->add_flag("--reader", asked->reader,
                                          "no node: may read gateways of its cells over HTTPS");
  command->add_flag("--keeper", asked->keeper, "an agent that may keep all logs of its cell")
      ->excludes(gateway)
      ->excludes(reader);
  reader->excludes(gateway);
  command->add_option("--host", asked->hosts, "names and addresses under which it serves HTTPS");
  command->add_option("--days", asked->days, "that its certificate is valid (825)")
      ->check(CLI::Range(1, 7300));
  CLI::Option* network =
      command->add_option("--wifi-network", asked->wifi_network,
                          "that a device with an image of Dunlin's joins (WPA2)");
  CLI::Option* passphrase = command->add_option(
      "--wifi-passphrase-file", asked->wifi_passphrase_file, "holds its passphrase");
  network->needs(passphrase);
  passphrase->needs(network);
  command->add_option("--out", asked->out, "the bundle (NAME.bundle)");
  command->callback([&chosen, asked] { chosen = [asked] { return cli::add(*asked); }; });

  command = device->add_subcommand(
      "renew",
      "a member's bundle or certificate (node.crt) here: the certificate in it lasts longer");
  add_folder(command, asked->folder);
  add_passphrase(command, asked->passphrase_file);
  command->add_option("file", asked->file, "that its owner alone may read")->required();
  command->add_option("--days", asked->days, "from now, once less than a third is left (825)")
      ->check(CLI::Range(1, 7300));
  command->callback([&chosen, asked] { chosen = [asked] { return cli::renew(*asked); }; });

  command = device->add_subcommand(
      "revoke", "cut a member off: what a gateway has of it counts, and nothing after that");
  add_folder(command, asked->folder);
  add_passphrase(command, asked->passphrase_file);
  command->add_option("name", asked->name, "of the device, or its node id")->required();
  command->add_flag("--nothing-counts", asked->nothing_counts,
                    "not even what gateways have of it: queries leave all of it out");
  command->add_option("--cell", asked->cell, "when several cells have one of that name");
  command->add_option("--gateway", asked->gateway_url,
                      "on this machine, that says what counts (http://127.0.0.1:7380)");
  command->callback([&chosen, asked] { chosen = [asked] { return revoke(*asked); }; });
}

}  // namespace dunlin::cli
