#include "cli/wifi.h"

#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace dunlin::cli {
namespace {

// The vectors of IEEE 802.11, annex J.4.2.
TEST(Wifi, TheKeyIsThatOfTheStandard) {
  const security::Wifi one = make_wifi("IEEE", "password").value();
  EXPECT_EQ(one.network, "49454545");
  EXPECT_EQ(one.key, "f42c6fc52df0ebef9ebb4b90b38a5f902e83fe1b135a70e23aed762e9710a12e");
  EXPECT_EQ(make_wifi("ThisIsASSID", "ThisIsAPassword").value().key,
            "0dc0d6eb90555ed6419756b9a15ec3e3209b63df707dd508d14581f8982721af");
}

TEST(Wifi, ThePassphraseIsTheFirstLineOfItsFile) {
  const test::TempDir folder;
  EXPECT_EQ(read_wifi("IEEE", folder.write("file", "password\nmore\n")).value(),
            make_wifi("IEEE", "password").value());
  EXPECT_EQ(read_wifi("IEEE", folder.file("none")).error().code, Errc::not_found);
}

TEST(Wifi, WhatIsNoNameOrPassphraseIsRefused) {
  for (const std::string& name : {std::string(), std::string(33, 'n')})
    EXPECT_EQ(make_wifi(name, "password").error().code, Errc::invalid_argument);
  for (const std::string& passphrase :
       {std::string("seven77"), std::string(64, 'p'), std::string("p\xc3\xa4ssword")})
    EXPECT_EQ(make_wifi("IEEE", passphrase).error().code, Errc::invalid_argument);
}

}  // namespace
}  // namespace dunlin::cli
