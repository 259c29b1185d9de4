#include "cli/image/packages.h"

#include <gmock/gmock.h>

#include "tests/unit/cli/image/stand_in.h"

namespace dunlin::image {
namespace {

TEST(Licences, AreThoseOfACopyrightFileOnce) {
  EXPECT_THAT(licences("Format: x\nLicense: GPL-2+\n text\nLicense:  MIT\nLicense: GPL-2+\n"),
              ::testing::ElementsAre("GPL-2+", "MIT"));
  EXPECT_THAT(licences("This is GPL.\n"), ::testing::IsEmpty());
}

TEST(Changelog, SaysTheNewestVersion) {
  EXPECT_EQ(changelog_version("mbedtls (2.28.3-1) bookworm; urgency=medium\n\n  * (x)\n"),
            "2.28.3-1");
  EXPECT_EQ(changelog_version("mbedtls 2.28.3-1\nmbedtls (2.28.0-1) sid\n"), "");
  EXPECT_EQ(changelog_version(") ("), "");
}

// In place of mmdebstrap: makes the folder with what its options say of the archives.
const std::string kUnpack =
    "for root; do :; done\n"
    "case $* in *security*) ;; *) $REACHABLE || exit 1; more=security ;; esac\n"
    "mkdir -p \"$root/etc/apt\" \"$root/var/cache/apt/archives\"\n"
    "echo \"bookworm$more\" >\"$root/etc/apt/sources.list\"\n";

TEST(Packages, SayWhetherTheyHaveDebiansSecurityUpdates) {
  for (const bool reachable : {true, false}) {
    const test::TempDir cache;
    const test::StandIn unpack(
        "mmdebstrap", std::string("REACHABLE=") + (reachable ? "true" : "false") + "\n" + kUnpack);
    const Packages::Wanted wanted{"arm64", {"main"}, {"busybox"}, cache.path().string()};
    for (int from_cache = 0; from_cache < 2; ++from_cache)
      EXPECT_EQ(Packages::unpack(wanted).value().has_security_updates(), reachable) << from_cache;
  }
}

}  // namespace
}  // namespace dunlin::image
