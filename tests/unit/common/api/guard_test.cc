#include "common/api/guard.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "common/security/certificate.h"

namespace dunlin::api {
namespace {

using security::Certificate;
using security::NodeKey;

constexpr security::Validity kAlways{0, 4'000'000'000'000'000};

// Knows who was revoked.
class KnowingNode final : public runtime::NodeView {
 public:
  runtime::NodeReport report() override { return {}; }
  bool revoked(const NodeId& who) override { return out.contains(who); }
  bool keeps_other_cells() override { return others; }
  bool connected() const override { return true; }
  runtime::DiskState disk_state() const override { return {}; }
  void on_replicated(OnReplicated) override {}

  std::set<NodeId> out;
  bool others = false;
};

class GuardTest : public testing::Test {
 protected:
  Certificate certificate(const std::string& role, const std::string& cell = "north,south") {
    const auto key = NodeKey::generate().value();
    return authority_.issue(key->public_key(), {"mountain", cell, role, "name"}, kAlways).value();
  }
  // "200", or the status and the code of the problem.
  std::string ask(const std::string& path, Bytes der) {
    const auto refused = guard_.refusal({.path = path, .client_certificate = std::move(der)});
    if (!refused) return "200";
    const auto problem = nlohmann::json::parse(refused->body);
    return std::to_string(refused->status) + " " + problem.at("code").get<std::string>();
  }

  KnowingNode node_;
  Guard guard_{node_, {"north", "south"}};
  security::Authority authority_ =
      security::Authority::create(NodeKey::generate().value(), "mountain", kAlways).value();
};

TEST_F(GuardTest, LetsReadersRead) {
  for (const std::string role : {"reader", "operator"})
    EXPECT_EQ(ask("/v1/sql", certificate(role).der()), "200") << role;
  for (const std::string role : {"agent", "gateway", "broker", "authority", "Reader", ""})
    EXPECT_EQ(ask("/v1/sql", certificate(role).der()), "403 not_allowed") << role;
  EXPECT_EQ(ask("/v1/sql", authority_.certificate().der()), "403 not_allowed");
  EXPECT_EQ(ask("/v1/sql", {1, 2, 3}), "403 not_allowed");
  EXPECT_EQ(ask("/v1/sql", {}), "401 no_certificate");
}

TEST_F(GuardTest, AReaderReadsItsCells) {
  for (const std::string cell : {"north", "south", "north,east", "nort", "north,southern", ""})
    EXPECT_EQ(ask("/v1/nodes", certificate("reader", cell).der()), "403 not_allowed") << cell;
  EXPECT_EQ(ask("/v1/nodes", certificate("reader", "south,east,north").der()), "200");
  EXPECT_EQ(ask("/v1/nodes", certificate("operator", "").der()), "200");
}

TEST_F(GuardTest, WhatOtherGatewaysBroughtIsForReadersOfTheBackbone) {
  node_.others = true;
  EXPECT_EQ(ask("/v1/nodes", certificate("reader", "north,south").der()), "403 not_allowed");
  EXPECT_EQ(ask("/v1/nodes", certificate("reader", "_core").der()), "200");
  EXPECT_EQ(ask("/v1/nodes", certificate("operator").der()), "200");
}

TEST_F(GuardTest, WhoWasRevokedReadsNothing) {
  const Certificate reader = certificate("reader"), other = certificate("reader");
  EXPECT_EQ(ask("/v1/nodes", reader.der()), "200");
  node_.out.insert(reader.node());
  EXPECT_EQ(ask("/v1/nodes", reader.der()), "403 revoked");
  EXPECT_EQ(ask("/v1/nodes", other.der()), "200");
  EXPECT_EQ(guard_.refused(), (std::map<std::string, std::uint64_t>{{"revoked", 1}}));
}

TEST_F(GuardTest, CountsWhomTlsLetsNotIn) {
  guard_.note_no_handshake({Errc::expired, "over"});
  guard_.note_no_handshake({Errc::expired, "over"});
  guard_.note_no_handshake({Errc::untrusted, "foreign"});
  guard_.note_no_handshake({Errc::closed, "the server stops"});
  EXPECT_EQ(guard_.refused(),
            (std::map<std::string, std::uint64_t>{{"expired", 2}, {"untrusted", 1}}));
}

TEST_F(GuardTest, AnybodyMayAskThreePaths) {
  for (const std::string path : {"/healthz", "/v1/authority", "/v1/enrol"})
    EXPECT_EQ(ask(path, {}), "200") << path;
  for (const std::string path :
       {"/", "", "/readyz", "/metrics", "/v1/sql", "/v1/nodes", "/healthz/", "//healthz",
        "/HEALTHZ", "/healthz/../v1/sql", "/v1/enrol/../nodes", "/v1/enrolment"})
    EXPECT_EQ(ask(path, {}), "401 no_certificate") << path;
}

}  // namespace
}  // namespace dunlin::api
