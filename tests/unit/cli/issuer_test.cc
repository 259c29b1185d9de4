#include "cli/issuer.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/fleet.h"
#include "cli/tokens.h"
#include "common/security/private_file.h"
#include "tests/support/temp_dir.h"

namespace dunlin::cli {
namespace {

using nlohmann::json;
using security::Certificate;
using security::NodeKey;

constexpr UtcMicros kNow = 1'800'000'000'000'000;
constexpr UtcMicros kDay = 86'400'000'000;
constexpr int kDays = 300;

std::string read(const std::string& path) {
  return security::read_private_file(path).value();
}

class IssuerTest : public testing::Test {
 protected:
  IssuerTest() {
    const Fleet fleet =
        Fleet::create(folder_, {"mountain", {"broker"}, 8883, "https://gate:7443"}, kNow).value();
    authority_ = fleet.authority().node();
  }
  security::Token invite(const std::string& name, UtcMicros until = kNow + kDay) {
    const security::Token token = security::make_token("https://gate:7443", authority_);
    const security::Member member{"mountain", "north", "agent", name};
    EXPECT_TRUE(write_invitation(folder_, token.id, {token.secret, member, until, {}}).ok());
    return token;
  }
  static std::string request_of(const NodeKey& key) {
    return make_request(key, key.node().to_string()).value();
  }
  static json body(const NodeKey& key, const security::Token& token) {
    const std::string request = request_of(key);
    return {{"request", request},
            {"token", token.id},
            {"proof", to_hex(security::prove(token.secret, request))}};
  }
  http::Response ask(const json& body, UtcMicros now = kNow) {
    return issuer_.answer(body.dump(), now);
  }
  // "200", or the status and the code of the problem.
  std::string outcome(const json& body, UtcMicros now = kNow) {
    const http::Response response = ask(body, now);
    if (response.status == 200) return "200";
    const json problem = json::parse(response.body);
    return std::to_string(response.status) + " " + problem.at("code").get<std::string>();
  }
  static json signed_part(const http::Response& response) {
    return json::parse(json::parse(response.body).at("answer").get<std::string>());
  }
  Certificate certificate(const http::Response& response) {
    EXPECT_EQ(response.status, 200) << response.body;
    return Certificate::from_pem(signed_part(response).at("certificate").get<std::string>())
        .value();
  }

  test::TempDir dir_;
  std::string folder_ = dir_.file("fleet");
  Issuer issuer_{folder_, kDays};
  NodeId authority_;
  std::unique_ptr<NodeKey> key_ = NodeKey::generate().value();
  std::unique_ptr<NodeKey> other_ = NodeKey::generate().value();
};

TEST_F(IssuerTest, ATokenMakesAMemberOfOneKey) {
  const security::Token token = invite("pond");
  const http::Response answer = ask(body(*key_, token));
  const Certificate issued = certificate(answer);
  Fleet fleet = Fleet::open(folder_).value();
  EXPECT_TRUE(verify(issued, fleet.authority(), kNow).ok());
  EXPECT_EQ(issued.node(), key_->node());
  EXPECT_EQ(*issued.member(), (security::Member{"mountain", "north", "agent", "pond"}));
  EXPECT_EQ(issued.validity().until, kNow + kDays * kDay);
  EXPECT_EQ(fleet.members()->size(), 1u);
  const json read = signed_part(answer);
  EXPECT_EQ(read.at("broker"), "mqtts://broker:8883");
  EXPECT_EQ(read.at("gateway"), "https://gate:7443");
  EXPECT_EQ(Certificate::from_pem(read.at("authority").get<std::string>())->der(),
            fleet.authority().der());
}

TEST_F(IssuerTest, AnAnswerThatWasLostIsGivenAgain) {
  const security::Token token = invite("pond");
  const Certificate first = certificate(ask(body(*key_, token)));
  EXPECT_EQ(certificate(ask(body(*key_, token), kNow + 5 * kDay)).der(), first.der());
  // Killed between the two files: the token is used, and there is no certificate.
  std::filesystem::remove(folder_ + "/members/" + first.node().to_string() + ".crt");
  EXPECT_EQ(outcome(body(*key_, token)), "200");
  // Or before the broker's rights were written.
  const std::string rights = folder_ + "/broker/acl";
  std::filesystem::resize_file(rights, 0);
  EXPECT_EQ(outcome(body(*key_, token)), "200");
  EXPECT_NE(read(rights).find(first.node().to_string()), std::string::npos);
}

TEST_F(IssuerTest, ATokenIsGoodOnceAndForItsTime) {
  const security::Token token = invite("pond");
  EXPECT_EQ(outcome(body(*key_, token), kNow + kDay + 1), "403 expired");
  EXPECT_EQ(outcome(body(*key_, token)), "200");
  EXPECT_EQ(outcome(body(*other_, token)), "409 exists");
  EXPECT_EQ(Fleet::open(folder_)->members()->size(), 1u);
}

TEST_F(IssuerTest, WhoHasNoTokenGetsNothing) {
  const security::Token token = invite("pond");
  security::Token guessed = token;
  guessed.secret[3] ^= 1;
  EXPECT_EQ(outcome(body(*key_, guessed)), "403 untrusted");
  guessed = security::make_token("https://gate:7443", authority_);
  EXPECT_EQ(outcome(body(*key_, guessed)), "403 untrusted");
  guessed.id = "../" + token.id;
  EXPECT_EQ(outcome(body(*key_, guessed)), "403 untrusted");
  // Who overheard a request cannot put his key into it.
  json stolen = body(*key_, token);
  stolen["request"] = request_of(*other_);
  EXPECT_EQ(outcome(stolen), "403 untrusted");
  // Nor ask for a key that is not his.
  std::string forged = request_of(*key_);
  forged[forged.size() - 60] = forged[forged.size() - 60] == 'A' ? 'B' : 'A';
  const std::string proof = to_hex(security::prove(token.secret, forged));
  const std::string said = outcome({{"request", forged}, {"token", token.id}, {"proof", proof}});
  EXPECT_TRUE(said == "403 bad_signature" || said == "400 malformed") << said;
  EXPECT_TRUE(Fleet::open(folder_)->members()->empty());
  EXPECT_EQ(outcome(body(*key_, token)), "200") << "and the token is still good";
}

TEST_F(IssuerTest, AnythingElseIsMalformed) {
  const security::Token token = invite("pond");
  for (const std::string text : {"", "[]", "{", "{\"request\": 7}", "null", "\xff"}) {
    EXPECT_EQ(issuer_.answer(text, kNow).status, 400) << text;
  }
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  for (const std::string& text : {deep, "{\"request\":" + deep + "}"})
    EXPECT_EQ(issuer_.answer(text, kNow).status, 400);
  json short_proof = body(*key_, token);
  short_proof["proof"] = "00";
  EXPECT_EQ(outcome(short_proof), "400 malformed");
}

TEST_F(IssuerTest, NamesAreNotGivenTwice) {
  const security::Token one = invite("pond"), two = invite("pond");
  EXPECT_EQ(outcome(body(*key_, one)), "200");
  EXPECT_EQ(outcome(body(*other_, two)), "409 exists");
}

TEST_F(IssuerTest, WhoLetItsCertificateEndComesBackWithAToken) {
  const security::Token token = invite("pond", kNow + 1000 * kDay);
  const Certificate first = certificate(ask(body(*key_, token)));
  const UtcMicros late = kNow + (kDays + 1) * kDay;
  EXPECT_EQ(outcome(body(*other_, invite("pond", late + kDay)), late), "409 exists");
  const Certificate second = certificate(ask(body(*key_, invite("pond", late + kDay)), late));
  EXPECT_EQ(second.node(), first.node());
  EXPECT_EQ(second.validity().until, late + kDays * kDay);
  EXPECT_EQ(Fleet::open(folder_)->members()->size(), 1u);
  // So it does with the former token, while that is good.
  EXPECT_EQ(certificate(ask(body(*key_, token), late + (kDays + 1) * kDay)).validity().until,
            late + (2 * kDays + 1) * kDay);
  ASSERT_TRUE(Fleet::open(folder_)->revoke(key_->node(), {}, kNow).ok());
  EXPECT_EQ(outcome(body(*key_, invite("pond", 2 * late)), late), "403 revoked");
}

TEST_F(IssuerTest, RenewsWhatEndsSoon) {
  const security::Token token = invite("pond");
  const Certificate first = certificate(ask(body(*key_, token)));
  const json renewal{{"request", request_of(*key_)}};
  EXPECT_EQ(certificate(ask(renewal, kNow + 199 * kDay)).der(), first.der());
  const Certificate second = certificate(ask(renewal, kNow + 201 * kDay));
  EXPECT_EQ(second.validity().until, kNow + (201 + kDays) * kDay);
  EXPECT_EQ(*second.member(), *first.member());
  EXPECT_EQ(second.node(), first.node());
  EXPECT_EQ(outcome(renewal, kNow + (202 + kDays) * kDay), "403 expired");
  EXPECT_EQ(outcome({{"request", request_of(*other_)}}), "403 untrusted");
}

TEST_F(IssuerTest, RenewsAGatewayWithItsHosts) {
  std::unique_ptr<NodeKey> key;
  {
    Fleet fleet = Fleet::open(folder_).value();
    const security::Member member{"mountain", "north,south", "gateway", "gate"};
    const auto bundle = fleet.add(member, kNow, 10, {"gate.example.org", "10.0.0.7"}).value();
    EXPECT_EQ(bundle.membership.certificate.validity().from, 0) << "devices wake in 1970";
    key = NodeKey::from_pem(bundle.key_pem).value();
  }
  const Certificate renewed = certificate(ask({{"request", request_of(*key)}}));
  EXPECT_EQ(renewed.hosts(), (std::vector<std::string>{"gate.example.org", "10.0.0.7"}));
  EXPECT_EQ(renewed.validity().until, kNow + kDays * kDay);
}

TEST_F(IssuerTest, ListensOnThisMachine) {
  for (const char* listen : {"0.0.0.0:0", "[::]:0", ":0", "example.org:0"})
    EXPECT_EQ(serve_enrolments(folder_, listen, kDays, {}), 1) << listen;
}

TEST_F(IssuerTest, WhoWasRevokedStaysOut) {
  const security::Token token = invite("pond"), more = invite("pond 2");
  EXPECT_EQ(outcome(body(*key_, token)), "200");
  ASSERT_TRUE(Fleet::open(folder_)->revoke(key_->node(), {}, kNow).ok());
  EXPECT_EQ(outcome(body(*key_, token)), "403 revoked");
  EXPECT_EQ(outcome(body(*key_, more)), "403 revoked");
  EXPECT_EQ(outcome({{"request", request_of(*key_)}}), "403 revoked");
}

}  // namespace
}  // namespace dunlin::cli
