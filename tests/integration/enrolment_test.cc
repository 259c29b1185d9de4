// A device makes its key itself and gets its certificate with a token, through a gateway that has
// no part in it; later it renews. Real programs, real mosquitto.
#include <nlohmann/json.hpp>

#include "common/security/bundle.h"
#include "common/security/token.h"
#include "tests/integration/membership.h"
#include "tests/support/faketime.h"

namespace dunlin {
namespace {

class Enrolment : public Membership {
 protected:
  void SetUp() override {
    Membership::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    start_issuer();
    ASSERT_EQ(dunlin({"device", "add", "front", "--gateway", "--cell", "north", "--host",
                      "localhost", "--out", bundle("front")}),
              0);
    front_ = std::make_unique<Member>(
        folder_,
        Member::Options{.name = "front",
                        .gateway = true,
                        .broker_url = url(),
                        .node_keys = "bundle = \"" + bundle("front") + "\"\ncells = [\"north\"]\n",
                        .more = "[https]\nlisten = \"127.0.0.1:0\"\n[enrol]\nissuer = \"" +
                                issuer_url() + "\"\n"});
    DUNLIN_ASSERT_OK(front_->start());
    const int port = front_->events("started").back()["https_port"];
    gateway_ = "https://localhost:" + std::to_string(port);
  }
  std::string issuer_url() const { return "http://127.0.0.1:" + std::to_string(issuer_port_); }
  void start_issuer() {
    issuer_ = ChildProcess::start({.program = test::built_program("dunlin"),
                                   .args = {"fleet", "serve", "--dir", fleet_, "--listen",
                                            "127.0.0.1:" + std::to_string(issuer_port_)},
                                   .env = {},
                                   .output_file = folder_.file("issuer.log")})
                  .value();
    ASSERT_TRUE(test::eventually([&] { return test::accepts_connections(issuer_port_); }));
  }
  // A file with a token for a device of that name.
  std::string invite(const std::string& name) {
    const std::string file = folder_.file(name + ".token");
    EXPECT_EQ(
        run({"fleet", "token", name, "--cell", "north", "--gateway", gateway_, "--dir", fleet_},
            file),
        0);
    return file;
  }
  static int run(std::vector<std::string> args, const std::string& output,
                 std::vector<std::string> environment = {}) {
    std::filesystem::remove(output);
    return test::run_program({.program = test::built_program("dunlin"),
                              .args = std::move(args),
                              .env = std::move(environment),
                              .output_file = output})
        .value_or(-1);
  }
  int enrol(const std::string& token_file, const std::string& data_dir,
            std::vector<std::string> environment = {}) {
    return run({"enrol", "--token-file", token_file, "--data-dir", data_dir}, said(),
               std::move(environment));
  }
  std::string said() const { return folder_.file("said"); }
  std::string data(const std::string& name) const { return folder_.file(name + "-data"); }
  Member enrolled(const std::string& name, std::vector<std::string> environment = {}) {
    return Member(folder_, {.name = name,
                            .broker_url = url(),
                            .node_keys = "cell = \"north\"\n",
                            .data_dir = data(name),
                            .environment = std::move(environment)});
  }

  std::uint16_t issuer_port_ = test::free_port();
  ChildProcess issuer_;
  std::unique_ptr<Member> front_;
  std::string gateway_;
};

TEST_F(Enrolment, ATokenIsAllThatADeviceNeeds) {
  const std::string token = invite("late");
  ASSERT_EQ(enrol(token, data("late")), 0) << read_file(said());
  Member late = enrolled("late");
  DUNLIN_ASSERT_OK(late.start());
  ASSERT_TRUE(late.say("pond level=1i\n"));
  EXPECT_TRUE(test::eventually([&] { return front_->readings(late.node()) == 1; })) << late.log();
  // Once more for the same device; never for another.
  EXPECT_EQ(enrol(token, data("late")), 0) << read_file(said());
  for (int again = 0; again < 2; ++again) EXPECT_NE(enrol(token, data("other")), 0);
  EXPECT_NE(read_file(said()).find("409 exists"), std::string::npos) << read_file(said());
  const std::string key = read_file(data("late") + "/node.key");
  ASSERT_NE(key.find("PRIVATE KEY"), std::string::npos);
  const std::string secret = to_hex(security::read_token(read_file(token))->secret);
  for (const std::string& log :
       {read_file(folder_.file("issuer.log")), front_->log(), late.log()}) {
    EXPECT_EQ(log.find(secret), std::string::npos);
    EXPECT_EQ(log.find("PRIVATE KEY"), std::string::npos);
  }
  // It was told of, once.
  const std::string issuers = read_file(folder_.file("issuer.log"));
  const std::size_t told = issuers.find("event=security");
  ASSERT_NE(told, std::string::npos);
  EXPECT_EQ(issuers.find("event=security", told + 1), std::string::npos) << issuers;
}

// It cannot tell whether a certificate is valid yet, and needs none that is not.
TEST_F(Enrolment, ADeviceWithoutAClockEnrolsAndConnects) {
  const std::string library = test::faketime_library(folder_);
  if (library.empty() && !std::getenv("CI")) GTEST_SKIP() << "faketime is not installed";
  const std::vector<std::string> past = test::clock_of_1970(library);
  ASSERT_EQ(enrol(invite("dazed"), data("dazed"), past), 0) << read_file(said());
  Member dazed = enrolled("dazed", past);
  DUNLIN_ASSERT_OK(dazed.start());
  ASSERT_TRUE(dazed.say("pond level=1i\n"));
  EXPECT_TRUE(test::eventually([&] { return front_->readings(dazed.node()) == 1; })) << dazed.log();
  EXPECT_EQ(run({"renew", "--data-dir", data("dazed")}, said(), past), 0) << read_file(said());
}

TEST_F(Enrolment, NobodyIsBelievedButTheTokensAuthority) {
  const std::string token = read_file(invite("late"));
  // A token of another fleet; a host name that the gateway does not have; nobody there.
  std::string foreign = token;
  foreign[foreign.find('#') + 1] ^= 1;
  const std::string port = gateway_.substr(gateway_.rfind(':'));
  const std::string other_name = "https://127.0.0.1" + port + token.substr(token.find('#'));
  const std::string nobody =
      "https://localhost:" + std::to_string(test::free_port()) + token.substr(token.find('#'));
  for (const std::string& text : {foreign, other_name, nobody}) {
    EXPECT_EQ(enrol(folder_.write("bad.token", text), data("late")), 1) << text;
    EXPECT_FALSE(std::filesystem::exists(data("late") + "/node.crt"));
  }
  EXPECT_EQ(enrol(folder_.write("good.token", token), data("late")), 0) << read_file(said());
}

TEST_F(Enrolment, WaitsForWhoHasTheAuthoritysKey) {
  const std::string token = invite("late");
  issuer_.kill(SIGKILL);
  ASSERT_TRUE(issuer_.wait(std::chrono::seconds(5)));
  EXPECT_EQ(enrol(token, data("late")), 1);
  EXPECT_NE(read_file(said()).find("issuer_not_reached"), std::string::npos) << read_file(said());
  const std::string key = read_file(data("late") + "/node.key");
  start_issuer();
  EXPECT_EQ(enrol(token, data("late")), 0) << read_file(said());
  EXPECT_EQ(read_file(data("late") + "/node.key"), key);
}

// By who has the authority and the member's file in hand, as where a fleet is made by a script.
TEST_F(Enrolment, AFileInHandIsRenewed) {
  ASSERT_EQ(dunlin({"device", "add", "brief", "--cell", "north", "--days", "1", "--out",
                    bundle("brief")}),
            0);
  const std::string first = read_file(bundle("brief"));
  Member brief = make("brief");
  DUNLIN_ASSERT_OK(brief.start());
  EXPECT_EQ(brief.stop(), 0);
  const std::string installed = brief.data_dir() + "/node.crt";
  for (const std::string& file : {bundle("brief"), installed}) {
    ASSERT_EQ(dunlin({"device", "renew", file}), 0) << read_file(said());
    const std::string renewed = read_file(file);
    EXPECT_EQ(dunlin({"device", "renew", file}), 0);
    EXPECT_EQ(read_file(file), renewed);
  }
  const auto renewed = security::read_bundle(read_file(bundle("brief")));
  ASSERT_TRUE(renewed.ok()) << renewed.error().message();
  const auto former = security::read_bundle(first);
  EXPECT_EQ(renewed->key_pem, former->key_pem);
  EXPECT_EQ(renewed->membership.certificate.node(), former->membership.certificate.node());
  EXPECT_GT(renewed->membership.certificate.validity().until,
            former->membership.certificate.validity().until + UtcMicros{800} * 86'400'000'000);
  EXPECT_EQ(read_file(installed), renewed->membership.certificate.to_pem());
  DUNLIN_ASSERT_OK(brief.start());
  EXPECT_TRUE(test::eventually([&] { return !brief.events("broker_connected").empty(); }))
      << brief.log();

  // Over for long, or no member of this fleet any more.
  std::ofstream(bundle("brief"), std::ios::trunc) << first;
  EXPECT_EQ(dunlin({"device", "revoke", "brief", "--nothing-counts"}), 0);
  EXPECT_EQ(dunlin({"device", "renew", bundle("brief")}), 1);
  EXPECT_EQ(read_file(bundle("brief")), first);
}

// A certificate that took its place counts from the next connect on, without a restart.
TEST_F(Enrolment, ARenewedCertificateCountsWithoutARestart) {
  ASSERT_EQ(dunlin({"device", "add", "brief", "--cell", "north", "--days", "1", "--out",
                    bundle("brief")}),
            0);
  Member brief = make("brief");
  DUNLIN_ASSERT_OK(brief.start());
  ASSERT_TRUE(test::eventually([&] { return !brief.events("broker_connected").empty(); }));
  const std::string file = brief.data_dir() + "/node.crt";
  const std::string first = read_file(file);
  ASSERT_EQ(run({"renew", "--data-dir", brief.data_dir(), "--gateway", gateway_}, said()), 0)
      << read_file(said());
  const std::string renewed = read_file(file);
  EXPECT_NE(first, renewed);
  EXPECT_EQ(run({"renew", "--data-dir", brief.data_dir(), "--gateway", gateway_}, said()), 0);
  EXPECT_NE(read_file(said()).find("not yet"), std::string::npos) << read_file(said());
  EXPECT_EQ(read_file(file), renewed);

  // With what lies there now the broker would not have it.
  std::ofstream(file, std::ios::trunc) << read_file(brief.data_dir() + "/fleet.crt");
  const std::size_t connects = brief.events("broker_connected").size();
  broker_.kill(SIGKILL);
  ASSERT_TRUE(broker_.wait(std::chrono::seconds(5)));
  start_broker();
  ASSERT_TRUE(test::eventually([&] { return front_->events("broker_connected").size() > 1; }));
  EXPECT_EQ(brief.events("broker_connected").size(), connects);
  std::ofstream(file, std::ios::trunc) << renewed;
  EXPECT_TRUE(test::eventually([&] { return brief.events("broker_connected").size() > connects; }))
      << brief.log();
}

}  // namespace
}  // namespace dunlin
