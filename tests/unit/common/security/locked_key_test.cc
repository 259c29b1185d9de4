#include "common/security/locked_key.h"

#include <gtest/gtest.h>

#include "common/security/keys.h"

namespace dunlin::security {
namespace {

TEST(LockedKey, OpensWithItsPassphraseAlone) {
  const auto key = NodeKey::generate().value();
  const std::string locked = lock_key(key->to_pem().value(), "correct horse").value();
  EXPECT_TRUE(is_locked(locked));
  EXPECT_FALSE(is_locked(key->to_pem().value()));
  EXPECT_EQ(NodeKey::from_pem(locked).error().code, Errc::malformed);
  const std::string open = unlock_key(locked, "correct horse").value();
  EXPECT_EQ(NodeKey::from_pem(open).value()->public_key(), key->public_key());
  for (const char* wrong : {"", "correct hors", "correct horse "})
    EXPECT_EQ(unlock_key(locked, wrong).error().code, Errc::untrusted) << wrong;
  // The salt is another one each time.
  EXPECT_NE(lock_key(open, "correct horse").value(), locked);
}

TEST(LockedKey, WhatIsNoneIsRefused) {
  const std::string open = NodeKey::generate().value()->to_pem().value();
  EXPECT_EQ(lock_key(open, "").error().code, Errc::invalid_argument);
  EXPECT_EQ(lock_key("-----BEGIN EC PRIVATE KEY-----\n", "x").error().code, Errc::malformed);
  EXPECT_EQ(unlock_key(open, "x").error().code, Errc::malformed);
  EXPECT_EQ(unlock_key("", "x").error().code, Errc::malformed);
}

// echo -n secret >p; openssl ecparam -name prime256v1 -genkey -noout |
//   openssl pkey -aes256 -passout file:p
TEST(LockedKey, OpenssLsOwnAreRead) {
  constexpr char kMade[] =
      "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
      "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAh19iIXpW4nkwICCAAw\n"
      "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEB8wmL0VE0UKUHvzAWTezr4EgZAp\n"
      "vwkMWAfWPQJ85WOdHYcdOb6L+zGEEmuzE24rQ72wlSa31xZVpQ7LaPtlcxGbnaSS\n"
      "C/KeAGzEgQeIRe+JAC+Z8Y9rfbNKeRS2q1xIqsP0qklw+bt3sUW048M8d+HzyPOI\n"
      "gK8+VaeWIAb2xExrpJbazDcTlDPjdPQ0foBNXYrbBseFfe9krYhd5UFqIlPMIsw=\n"
      "-----END ENCRYPTED PRIVATE KEY-----\n";
  EXPECT_EQ(NodeKey::from_pem(unlock_key(kMade, "secret").value()).value()->node().to_string(),
            "b9f0027607642a2c1fd2f129cdfdfbda");
}

}  // namespace
}  // namespace dunlin::security
