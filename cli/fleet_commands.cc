#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/fleet.h"
#include "cli/issuer.h"
#include "cli/passphrase.h"
#include "cli/tokens.h"
#include "common/base/wall_clock.h"

namespace dunlin::cli {

namespace {

constexpr int kDays = 825;

struct Asked {
  std::string folder = "fleet";
  Fleet::Plan plan{"", {"127.0.0.1", "localhost"}, 8883, "", ""};
  bool locked = false;
  std::string passphrase_file;
  bool json = false;
  security::Member member{"", "default", "agent", ""};
  std::string gateway;
  int hours = 24;
  std::string listen = "127.0.0.1:7390";
  int days = kDays;
};

int init(const Asked& asked) {
  Fleet::Plan plan = asked.plan;
  if (asked.locked || !asked.passphrase_file.empty()) {
    const Result<std::string> passphrase = new_passphrase(asked.passphrase_file);
    if (!passphrase.ok()) return fail(passphrase.error());
    plan.passphrase = *passphrase;
  }
  const auto fleet = Fleet::create(asked.folder, plan, utc_now());
  if (!fleet.ok()) return fail(fleet.error());
  std::printf("fleet %s in %s\nbroker: mosquitto -c %s/broker/mosquitto.conf\n",
              fleet->name().c_str(), fleet->folder().c_str(), fleet->folder().c_str());
  return kOk;
}

void print_json(const Fleet& fleet, const std::vector<security::Certificate>& members,
                const std::map<NodeId, Revoke>& revoked) {
  nlohmann::json out{{"fleet", fleet.name()},
                     {"authority", fleet.authority().node().to_string()},
                     {"valid_until_us", fleet.authority().validity().until},
                     {"broker", fleet.addresses().broker},
                     {"gateway", fleet.addresses().gateway},
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
}

int show(const Asked& asked) {
  auto fleet = Fleet::open(asked.folder);
  if (!fleet.ok()) return fail(fleet.error());
  const auto members = fleet->members();
  if (!members.ok()) return fail(members.error());
  const auto revoked = fleet->revocations();
  if (!revoked.ok()) return fail(revoked.error());
  if (asked.json) return print_json(*fleet, *members, *revoked), kOk;
  const security::Certificate& authority = fleet->authority();
  std::printf("fleet      %s\nauthority  %s, until %s\nbroker     %s\n\n", fleet->name().c_str(),
              authority.node().to_string().c_str(), day_of(authority.validity().until).c_str(),
              fleet->addresses().broker.c_str());
  std::printf("%-32s  %-8s %-12s %-10s %s\n", "node", "role", "cell", "until", "name");
  for (const security::Certificate& each : *members) {
    const security::Member& member = *each.member();
    std::printf("%-32s  %-8s %-12s %-10s %s\n", each.node().to_string().c_str(),
                member.role.c_str(), member.cell.c_str(),
                revoked->contains(each.node()) ? "revoked" : day_of(each.validity().until).c_str(),
                member.name.c_str());
  }
  return kOk;
}

int rotate(const Asked& asked) {
  auto fleet = Fleet::open(asked.folder, passphrase_from(asked.passphrase_file));
  if (!fleet.ok()) return fail(fleet.error());
  const Result<void> rotated = fleet->rotate(utc_now());
  if (!rotated.ok()) return fail(rotated.error());
  std::printf(
      "new keys for operator and broker; the authority's certificate is valid until %s\n"
      "a broker elsewhere than here needs %s/broker and a kill -HUP\n",
      day_of(fleet->authority().validity().until).c_str(), fleet->folder().c_str());
  const Result<void> published = std::move(*fleet).publish();
  if (published.ok()) return kOk;
  std::fprintf(stderr,
               "dunlin: the former operator is revoked here, which is not published: "
               "run `dunlin fleet publish` again\n");
  return fail(published.error());
}

int export_authority(const Asked& asked) {
  const auto fleet = Fleet::open(asked.folder);
  if (!fleet.ok()) return fail(fleet.error());
  std::printf("%s", fleet->authority().to_pem().c_str());
  return kOk;
}

int publish(const Asked& asked) {
  auto fleet = Fleet::open(asked.folder);
  if (!fleet.ok()) return fail(fleet.error());
  const Result<void> published = std::move(*fleet).publish();
  return published.ok() ? kOk : fail(published.error());
}

int token(const Asked& asked) {
  auto fleet = Fleet::open(asked.folder);
  if (!fleet.ok()) return fail(fleet.error());
  const std::string& gateway = asked.gateway.empty() ? fleet->addresses().gateway : asked.gateway;
  if (gateway.empty())
    return fail({Errc::invalid_argument,
                 "no gateway is known: --gateway https://HOST:PORT here or with `fleet init`"});
  if (!security::is_gateway_url(gateway))
    return fail({Errc::invalid_argument, "the gateway is https://HOST[:PORT]"});
  security::Member member = asked.member;
  member.fleet = fleet->name();
  const Result<void> free = fleet->check_inviting(member, utc_now());
  if (!free.ok()) return fail(free.error());
  const security::Token made = security::make_token(gateway, fleet->authority().node());
  const UtcMicros until = utc_now() + asked.hours * UtcMicros{3'600'000'000};
  const Result<void> written =
      write_invitation(fleet->folder(), made.id, {made.secret, member, until, {}});
  if (!written.ok()) return fail(written.error());
  std::printf("%s\n", write_token(made).c_str());
  return kOk;
}

}  // namespace

void add_fleet_commands(CLI::App& app, Command& chosen) {
  const auto asked = std::make_shared<Asked>();
  CLI::App* fleet = app.add_subcommand("fleet", "the fleet's authority")->require_subcommand(1);
  const auto add = [&](const char* name, const char* what, int (*run)(const Asked&)) {
    CLI::App* command = fleet->add_subcommand(name, what);
    add_folder(command, asked->folder);
    command->callback([&chosen, asked, run] { chosen = [asked, run] { return run(*asked); }; });
    return command;
  };
  CLI::App* command = add("init", "make a fleet: its authority and its broker's files", init);
  command->add_option("name", asked->plan.name, "of the fleet")->required();
  command->add_option("--broker", asked->plan.broker_hosts,
                      "names and addresses of the broker (127.0.0.1 localhost)");
  command->add_option("--port", asked->plan.broker_port, "of the broker (8883)");
  command->add_option("--gateway", asked->plan.gateway,
                      "https://HOST:PORT of the gateway where devices enrol and renew");
  command->add_flag("--passphrase", asked->locked, "asks for one, which the authority's key needs");
  add_passphrase(command, asked->passphrase_file);
  add("show", "the authority and its members", show)->add_flag("--json", asked->json);
  add("export", "print the authority's certificate", export_authority);
  command = add("rotate", "new keys for operator and broker, more time for the authority", rotate);
  add_passphrase(command, asked->passphrase_file);
  add("publish", "have the broker keep the authority's log, for who comes later", publish);
  command = add("token", "print what makes one device a member, once", token);
  command->add_option("name", asked->member.name, "of the device")->required();
  command->add_option("--cell", asked->member.cell, "of the device (default)");
  command->add_option("--gateway", asked->gateway, "https://HOST:PORT, where it is to enrol");
  command->add_flag_callback(
      "--keeper", [asked] { asked->member.role = "keeper"; },
      "an agent that may keep all logs of its cell");
  command->add_option("--hours", asked->hours, "that the token is good for (24)")
      ->check(CLI::Range(1, 24 * 366));
  command = fleet->add_subcommand("serve", "answer devices that enrol and renew, for a gateway");
  add_folder(command, asked->folder);
  add_passphrase(command, asked->passphrase_file);
  command->add_option("--listen", asked->listen, "on this machine (127.0.0.1:7390)");
  command->add_option("--days", asked->days, "that certificates are valid (825)")
      ->check(CLI::Range(1, 7300));
  command->callback([&chosen, asked] {
    chosen = [asked] {
      return serve_enrolments(asked->folder, asked->listen, asked->days,
                              passphrase_from(asked->passphrase_file));
    };
  });
}

}  // namespace dunlin::cli
