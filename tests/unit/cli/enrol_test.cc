// A device that enrols, and gateways of all sorts.
#include "cli/enrol.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "cli/fleet.h"
#include "cli/issuer.h"
#include "cli/tokens.h"
#include "common/http/server.h"
#include "common/security/private_file.h"
#include "tests/support/temp_dir.h"

namespace dunlin::cli {
namespace {

using security::Authority;
using security::Certificate;
using security::NodeKey;

constexpr UtcMicros kDay = 86'400'000'000;
constexpr security::Validity kAlways{0, 4'000'000'000'000'000};

// TLS looks at times by the clock of the machine.
UtcMicros machine_time() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

class EnrolTest : public testing::Test {
 protected:
  EnrolTest() {
    const Fleet fleet = Fleet::create(folder_, {"mountain", {"broker"}}, now_).value();
    root_ = fleet.authority().to_pem();
    authority_ = fleet.authority().node();
  }
  // A gateway that shows a certificate by `by`, and passes requests on as it likes.
  void serve(Authority& by) {
    const auto key = NodeKey::generate().value();
    const security::Member member{by.fleet(), "north", "gateway", "gate"};
    const Certificate shown = by.issue(key->public_key(), member, kAlways, {"localhost"}).value();
    const http::TlsFiles files{write("gate.crt", shown.to_pem()),
                               write("gate.key", key->to_pem().value()),
                               write("gate.ca", by.certificate().to_pem())};
    server_ = std::make_unique<http::Server>(
        http::ServerOptions{.tls = http::TlsContext::load(files).value()});
    server_->route("GET", "/v1/authority",
                   [this](const http::Request&) { return http::Response{.body = root_}; });
    server_->route("POST", "/v1/enrol", [this](const http::Request& request) {
      asked_ += 1;
      shown_ = request.client_certificate;
      return issuer_.answer(request.body, now_);
    });
    gateway_ = "https://localhost:" + std::to_string(server_->start("127.0.0.1:0").value());
  }
  Authority own() {
    return Authority::load(
               NodeKey::from_pem(security::read_private_file(folder_ + "/authority.key").value())
                   .value(),
               Certificate::from_pem(root_).value())
        .value();
  }
  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(dir_.file(name)) << text;
    return dir_.file(name);
  }
  security::Token invite() {
    const security::Token token = security::make_token(gateway_, authority_);
    const security::Member member{"mountain", "north", "agent", "pond"};
    EXPECT_TRUE(write_invitation(folder_, token.id, {token.secret, member, now_ + kDay, {}}).ok());
    return token;
  }

  test::TempDir dir_;
  std::string folder_ = dir_.file("fleet"), data_dir_ = dir_.file("data");
  UtcMicros now_ = machine_time();
  Issuer issuer_{folder_, 300};
  std::string root_;  // what is shown as the authority's certificate
  NodeId authority_;
  std::atomic<int> asked_{0};
  Bytes shown_;  // by who asked last
  std::unique_ptr<http::Server> server_;
  std::string gateway_;
};

TEST_F(EnrolTest, MakesAMember) {
  Authority authority = own();
  serve(authority);
  const auto membership = enrol(invite(), data_dir_, now_);
  ASSERT_TRUE(membership.ok()) << membership.error().message();
  EXPECT_EQ(membership->addresses, (security::Addresses{"mqtts://broker:8883", gateway_}));
  EXPECT_EQ(security::load_membership(data_dir_).value()->certificate.der(),
            membership->certificate.der());
}

TEST_F(EnrolTest, WhoLetItsCertificateEndComesBack) {
  Authority authority = own();
  serve(authority);
  const Certificate first = enrol(invite(), data_dir_, now_)->certificate;
  EXPECT_EQ(enrol(invite(), data_dir_, now_)->certificate.der(), first.der());
  EXPECT_EQ(asked_, 1);
  now_ = first.validity().until + kDay;
  const auto again = enrol(invite(), data_dir_, now_);
  ASSERT_TRUE(again.ok()) << again.error().message();
  EXPECT_EQ(again->certificate.node(), first.node());
  EXPECT_GT(again->certificate.validity().until, now_);
  EXPECT_EQ(security::load_membership(data_dir_).value()->certificate.der(),
            again->certificate.der());
}

TEST_F(EnrolTest, WhoRenewsShowsItsCertificate) {
  Authority authority = own();
  serve(authority);
  const Certificate first = enrol(invite(), data_dir_, now_)->certificate;
  EXPECT_TRUE(shown_.empty());
  now_ = first.validity().until - kDay;
  const Certificate second = renew(data_dir_, "", now_)->certificate;
  EXPECT_EQ(shown_, first.der());
  EXPECT_GT(second.validity().until, first.validity().until);
  now_ = second.validity().until + kDay;
  const auto late = renew(data_dir_, "", now_);
  EXPECT_TRUE(!late.ok() && late.error().code == Errc::untrusted) << "and is told so";
  EXPECT_TRUE(shown_.empty());
}

// What the system trusts is not of the fleet.
TEST_F(EnrolTest, TrustsTheAuthorityAlone) {
  Authority world = Authority::create(NodeKey::generate().value(), "world", kAlways).value();
  serve(world);
  ::setenv("SSL_CERT_FILE", dir_.file("gate.ca").c_str(), 1);
  EXPECT_EQ(enrol(invite(), data_dir_, now_).error().code, Errc::untrusted);
  ::unsetenv("SSL_CERT_FILE");
  EXPECT_EQ(asked_, 0);
  EXPECT_FALSE(std::filesystem::exists(data_dir_ + "/node.crt"));
}

// The authority's key in a certificate that the authority did not make.
TEST_F(EnrolTest, TheAuthorityVouchesForItsCertificate) {
  Authority authority = own();
  serve(authority);
  Bytes der = authority.certificate().der();
  der.back() ^= 1;  // of its signature
  root_ = Certificate::from_der(der)->to_pem();
  EXPECT_EQ(enrol(invite(), data_dir_, now_).error().code, Errc::untrusted);
  EXPECT_EQ(asked_, 0);
}

}  // namespace
}  // namespace dunlin::cli
