#include "common/security/token.h"

#include <gtest/gtest.h>

namespace dunlin::security {
namespace {

TEST(Token, IsReadAsItWasWritten) {
  NodeId authority;
  authority.bytes.fill(0xab);
  const Token token = make_token("https://gate.example.org:7443", authority);
  const std::string text = write_token(token);
  EXPECT_EQ(text.substr(0, 62), "https://gate.example.org:7443#" +
                                    std::string(32, 'x').replace(0, 32, authority.to_string()));
  const Token read = read_token(text + "\r\n").value();
  EXPECT_EQ(read.gateway, token.gateway);
  EXPECT_EQ(read.authority, authority);
  EXPECT_EQ(read.id, token.id);
  EXPECT_EQ(read.secret, token.secret);
  EXPECT_NE(make_token("https://a", authority).secret, token.secret);
}

TEST(Token, OfAnotherFormIsRefused) {
  const std::string good =
      "https://gate#0123456789abcdef0123456789abcdef.0123456789abcdef."
      "0123456789abcdef0123456789abcdef";
  ASSERT_TRUE(read_token(good).ok());
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT_EQ(read_token(good.substr(0, size)).error().code, Errc::malformed) << size;
  for (const std::string& bad :
       {good + "00", good + ".00", good + "x", "http" + good.substr(5), "#" + good.substr(13),
        "https://" + good.substr(12), good.substr(0, 20) + "\n" + good.substr(20),
        "https://gate/path" + good.substr(12), "https://ga te" + good.substr(12)})
    EXPECT_FALSE(read_token(bad).ok()) << bad;
}

TEST(Token, ProvesOneRequest) {
  // RFC 4231, test case 2.
  const Hash proof = prove(as_bytes("Jefe"), "what do ya want for nothing?");
  EXPECT_EQ(to_hex(proof), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_TRUE(proves(proof, as_bytes("Jefe"), "what do ya want for nothing?"));
  EXPECT_FALSE(proves(proof, as_bytes("Jefe"), "what do ya want for nothing!"));
  EXPECT_FALSE(proves(proof, as_bytes("jefe"), "what do ya want for nothing?"));
  Hash other = proof;
  other[31] ^= 1;
  EXPECT_FALSE(proves(other, as_bytes("Jefe"), "what do ya want for nothing?"));
}

}  // namespace
}  // namespace dunlin::security
