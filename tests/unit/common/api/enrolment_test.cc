#include "common/api/enrolment.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/http_client.h"
#include "tests/support/mosquitto.h"
#include "tests/support/temp_dir.h"

namespace dunlin::api {
namespace {

class EnrolmentTest : public testing::Test {
 protected:
  EnrolmentTest() {
    issuer_.route("POST", "/v1/enrol", [](const http::Request& request) {
      if (request.body == "no") return http::problem(409, "exists", "Conflict", "it was used");
      return http::Response{.body = "issued for " + request.body};
    });
    const int issuer = issuer_.start("127.0.0.1:0").value();
    start("http://127.0.0.1:" + std::to_string(issuer));
  }
  void start(const std::string& issuer_url) {
    gateway_ = std::make_unique<http::Server>();
    add_enrolment(*gateway_, issuer_url, authority_);
    port_ = static_cast<std::uint16_t>(gateway_->start("127.0.0.1:0").value());
  }
  test::HttpReply post(const std::string& body) const {
    return test::http_post(port_, "/v1/enrol", body).value();
  }
  static std::string code(const test::HttpReply& reply) {
    return nlohmann::json::parse(reply.body).at("code").get<std::string>();
  }

  test::TempDir folder_;
  std::string authority_ =
      folder_.write("fleet.crt", "broker: mqtts://b\n-----BEGIN CERTIFICATE-----\nMAA=\n");
  http::Server issuer_;
  std::unique_ptr<http::Server> gateway_;
  std::uint16_t port_ = 0;
};

TEST_F(EnrolmentTest, PassesOnWhatIsAskedAndAnswered) {
  const test::HttpReply given = post("pond");
  EXPECT_EQ(given.status, 200);
  EXPECT_EQ(given.body, "issued for pond");
  const test::HttpReply refused = post("no");
  EXPECT_EQ(refused.status, 409);
  EXPECT_EQ(code(refused), "exists");
  const auto authority = test::http_get(port_, "/v1/authority");
  EXPECT_EQ(authority->body, "-----BEGIN CERTIFICATE-----\nMAA=\n") << "and no addresses";
}

TEST_F(EnrolmentTest, WhatIsTooLargeOrTooManyStaysHere) {
  const test::HttpReply large = post(std::string(16 * 1024 + 1, 'x'));
  EXPECT_EQ(large.status, 413);
  EXPECT_EQ(code(large), "too_large");
  int taken = 0;
  test::HttpReply reply{200, {}};
  for (int n = 0; n < 1000 && reply.status == 200; ++n) {
    reply = post("x");
    taken += reply.status == 200;
  }
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(code(reply), "busy");
  EXPECT_GE(taken, 5);
}

// One address has its share, and members have theirs.
TEST(EnrolmentLimit, NobodyTakesItAll) {
  EnrolmentLimit limit;
  const Instant now{std::chrono::seconds(1)};
  const auto takes = [&](const std::string& address, Bytes certificate) {
    int taken = 0;
    while (limit.take({.client_certificate = certificate, .client_address = address}, now) &&
           taken < 1000)
      taken += 1;
    return taken;
  };
  EXPECT_EQ(takes("one", {}), 5);
  EXPECT_EQ(takes("one", {}), 0);
  EXPECT_EQ(takes("two", {}), 5);
  int all = 10;
  for (int n = 0; n < 5000; ++n) all += takes(std::to_string(n), {});
  EXPECT_EQ(all, 20);
  EXPECT_EQ(takes("one", {7}), 5);
  EXPECT_EQ(takes("two", {7}), 0) << "a member is itself wherever it is";
  EXPECT_EQ(takes("one", {8}), 5);
}

TEST_F(EnrolmentTest, SaysWhenNobodyHasTheKey) {
  start("http://127.0.0.1:" + std::to_string(test::free_port()));
  const test::HttpReply reply = post("pond");
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(code(reply), "issuer_not_reached");
}

}  // namespace
}  // namespace dunlin::api
