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

TEST(Packages, MayBeUnpackedByTwoAtOnce) {
  const test::TempDir cache;
  // Before this one is done another has put the folder in place.
  const test::StandIn unpack("mmdebstrap", "REACHABLE=true\n" + kUnpack +
                                               "first=${root%.*}\ncp -r \"$root\" \"$first\"\n"
                                               "echo >\"$first/contents\"\n");
  const Packages::Wanted wanted{"arm64", {"main"}, {"busybox"}, cache.path().string()};
  const Result<Packages> packages = Packages::unpack(wanted);
  ASSERT_TRUE(packages.ok()) << packages.error().message();
  EXPECT_TRUE(packages->has_security_updates());
  std::size_t folders = 0;
  for ([[maybe_unused]] const auto& each : std::filesystem::directory_iterator(cache.path()))
    ++folders;
  EXPECT_EQ(folders, 1U);
}

}  // namespace
}  // namespace dunlin::image
