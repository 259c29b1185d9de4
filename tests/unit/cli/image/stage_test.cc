#include "cli/image/stage.h"

#include <gmock/gmock.h>

#include "cli/image/files.h"
#include "tests/unit/cli/image/stand_in.h"

namespace dunlin::image {
namespace {

TEST(Stage, TakesNothingThatIsOfNoPackage) {
  const test::TempDir cache, folder;
  const test::StandIn unpack("mmdebstrap",
                             "for root; do :; done\n"
                             "mkdir -p \"$root/etc/apt\" \"$root/var/cache/apt/archives\"\n"
                             "touch \"$root/etc/apt/sources.list\" \"$root/etc/stray\"\n");
  const Packages packages =
      Packages::unpack({"arm64", {"main"}, {"busybox"}, cache.path().string()}).value();
  Stage stage(folder.file("stage"), packages);
  const Result<void> added = stage.add_file("etc/stray", "etc/stray");
  ASSERT_FALSE(added.ok());
  EXPECT_EQ(added.error().code, Errc::not_found);
  EXPECT_THAT(added.error().context, ::testing::HasSubstr("etc/stray"));
  EXPECT_TRUE(stage.taken().empty());
}

}  // namespace
}  // namespace dunlin::image
