#include "cli/answer.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace dunlin::cli {
namespace {

using nlohmann::json;
using security::Authority;
using security::Membership;
using security::NodeKey;

constexpr security::Validity kAlways{0, 4'000'000'000'000'000};

class AnswerTest : public testing::Test {
 protected:
  static Authority make_authority() {
    return Authority::create(NodeKey::generate().value(), "mountain", kAlways).value();
  }
  Membership member(Authority& authority, security::Addresses addresses) const {
    return {
        authority.issue(key_->public_key(), {authority.fleet(), "north", "agent", "pond"}, kAlways)
            .value(),
        authority.certificate(), std::move(addresses)};
  }
  Errc refused(const std::string& body) const {
    const auto read = read_answer(body, authority_.certificate(), key_->public_key());
    EXPECT_FALSE(read.ok()) << body;
    return read.ok() ? Errc{} : read.error().code;
  }

  std::unique_ptr<NodeKey> key_ = NodeKey::generate().value();
  Authority authority_ = make_authority();
  Membership member_ = member(authority_, {"mqtts://broker:8883", "https://gate"});
  std::string body_ = write_answer(member_, authority_.key()).value();
};

TEST_F(AnswerTest, IsReadAsWritten) {
  const auto read = read_answer(body_, authority_.certificate(), key_->public_key());
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(read->certificate.der(), member_.certificate.der());
  EXPECT_EQ(read->authority.der(), authority_.certificate().der());
  EXPECT_EQ(read->addresses, member_.addresses);
}

TEST_F(AnswerTest, WhoPassesItOnChangesNothing) {
  const json good = json::parse(body_);
  for (const char* key : {"broker", "gateway"}) {
    for (const std::string value : {"mqtts://other:8883", "", "mqtt://10.0.0.1"}) {
      json body = good;
      json text = json::parse(good.at("answer").get<std::string>());
      text[key] = value;
      body["answer"] = text.dump();
      EXPECT_EQ(refused(body.dump()), Errc::bad_signature) << key << value;
    }
  }
  json unsigned_one = good;
  unsigned_one.erase("signature");
  EXPECT_EQ(refused(unsigned_one.dump()), Errc::malformed);
  for (const std::string body : {"", "[]", "null", "{\"answer\":7}"})
    EXPECT_EQ(refused(body), Errc::malformed);
}

TEST_F(AnswerTest, IsOfTheAuthorityAndForTheKey) {
  Authority other = make_authority();
  EXPECT_EQ(refused(write_answer(member(other, {}), other.key()).value()), Errc::bad_signature);
  EXPECT_EQ(refused(write_answer(member(other, {}), authority_.key()).value()), Errc::untrusted);
  key_ = NodeKey::generate().value();
  EXPECT_EQ(refused(body_), Errc::untrusted);
}

}  // namespace
}  // namespace dunlin::cli
