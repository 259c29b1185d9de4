#include "cli/image/recipe.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "tests/support/temp_dir.h"

namespace dunlin::image {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

struct Profiles : ::testing::Test {
  void SetUp() override {
    std::filesystem::create_directories(folder_.path() / "base");
    std::filesystem::create_directories(folder_.path() / "board");
    folder_.write("base/image.toml", "packages = [\"busybox-static\"]\nmodules = [\"ext4\"]\n");
  }
  Result<Recipe> load(const std::string& of_class) {
    folder_.write("board/image.toml", of_class);
    return load_recipe(folder_.path().string(), "board");
  }
  test::TempDir folder_;
};

TEST_F(Profiles, AClassAddsToWhatAllHave) {
  const Recipe recipe =
      load(
          "kernel = \"linux-image-arm64\"\nboot = \"uefi\"\npartition_table = \"mbr\"\n"
          "modules = [\"usbnet\"]\n[qemu]\nfirmware = \"/f\"\nvariables = [\"a=$${b}\"]\n")
          .value();
  EXPECT_EQ(recipe.boot, Boot::uefi);
  EXPECT_TRUE(recipe.mbr);
  EXPECT_THAT(recipe.packages, ::testing::ElementsAre("busybox-static", "linux-image-arm64"));
  EXPECT_THAT(recipe.modules, ::testing::ElementsAre("ext4", "usbnet"));
  EXPECT_THAT(recipe.variables, ::testing::ElementsAre("a=${b}"));
}

TEST_F(Profiles, MistakesHaveALine) {
  const auto recipe = load("kernel = \"k\"\nboot = \"grub\"\nmodul = []\n");
  ASSERT_FALSE(recipe.ok());
  EXPECT_EQ(recipe.error().code, Errc::config);
  EXPECT_THAT(recipe.error().context, HasSubstr("board/image.toml:2: boot"));
  EXPECT_THAT(recipe.error().context, HasSubstr("board/image.toml:3: modul"));
  EXPECT_THAT(load("").error().context, HasSubstr("kernel"));
}

// Every class that there is.
TEST(Recipes, OfTheProjectAreRight) {
  const std::string profiles = std::string(DUNLIN_SOURCE_DIR) + "/firmware-profiles";
  int seen = 0;
  for (const auto& each : std::filesystem::directory_iterator(profiles)) {
    if (!std::filesystem::exists(each.path() / "profile.toml")) continue;
    const auto recipe = load_recipe(profiles, each.path().filename().string());
    ASSERT_TRUE(recipe.ok()) << recipe.error().message();
    EXPECT_THAT(recipe->packages, Contains("busybox-static"));
    ++seen;
  }
  EXPECT_GE(seen, 6);
}

}  // namespace
}  // namespace dunlin::image
