#include <cstdio>
#include <fstream>
#include <memory>

#include "cli/commands.h"
#include "cli/enrol.h"
#include "common/base/wall_clock.h"

namespace dunlin::cli {

namespace {

// Less of a certificate's time is left than this: it is time to renew it. Gateways' are valid from
// 1970, so that how long it was given for is not to be seen.
constexpr UtcMicros kRenewBefore = 275 * UtcMicros{86'400'000'000};

struct Asked {
  std::string data_dir = "/var/lib/dunlin";
  std::string token_file;
  std::string gateway;
  bool now = false;
};

int tell(const Result<security::Membership>& membership) {
  if (!membership.ok()) return fail(membership.error());
  const security::Certificate& certificate = membership->certificate;
  std::printf("node %s of the fleet %s, named %s, until %s\n",
              certificate.node().to_string().c_str(), certificate.member()->fleet.c_str(),
              certificate.member()->name.c_str(), day_of(certificate.validity().until).c_str());
  return kOk;
}

int run_enrol(const Asked& asked) {
  std::ifstream file(asked.token_file);
  std::string text;
  if (!std::getline(file, text))
    return fail({Errc::not_found, asked.token_file + ": no token can be read"});
  const Result<security::Token> token = security::read_token(text);
  if (!token.ok()) return fail(token.error());
  return tell(enrol(*token, asked.data_dir, utc_now()));
}

int run_renew(const Asked& asked) {
  const auto there = security::load_membership(asked.data_dir);
  if (there.ok() && *there && !asked.now) {
    const UtcMicros now = utc_now();
    const security::Validity& valid = (*there)->certificate.validity();
    // Who does not know the time asks: the answer is what it has, or better.
    if (now > kEarliestPlausibleUtc && now < valid.until - kRenewBefore)
      return std::printf("not yet: valid until %s\n", day_of(valid.until).c_str()), kOk;
  }
  return tell(renew(asked.data_dir, asked.gateway, utc_now()));
}

}  // namespace

void add_enrol_commands(CLI::App& app, Command& chosen) {
  const auto asked = std::make_shared<Asked>();
  const auto data_dir = [&](CLI::App* command) {
    command->add_option("--data-dir", asked->data_dir, "of the agent (/var/lib/dunlin)");
    return command;
  };
  CLI::App* command =
      data_dir(app.add_subcommand("enrol", "on a device: become a member, with a token"));
  command->add_option("--token-file", asked->token_file, "by `dunlin fleet token`")->required();
  command->callback([&chosen, asked] { chosen = [asked] { return run_enrol(*asked); }; });
  command = data_dir(app.add_subcommand("renew", "on a device: a certificate that lasts longer"));
  command->add_option("--gateway", asked->gateway, "https://HOST:PORT, in place of the known one");
  command->add_flag("--now", asked->now, "also when it is valid for long");
  command->callback([&chosen, asked] { chosen = [asked] { return run_renew(*asked); }; });
}

}  // namespace dunlin::cli
