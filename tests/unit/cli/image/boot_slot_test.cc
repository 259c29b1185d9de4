#include "cli/image/boot_slot.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "cli/image/command.h"
#include "cli/image/files.h"
#include "tests/support/temp_dir.h"

namespace dunlin::image {
namespace {

// In the order of the file system.
std::vector<std::string> names_in(const std::string& fat, const std::string& folder) {
  const std::string text = run({{"mdir", "-i", fat, "-b", "::" + folder}}).value();
  std::vector<std::string> names;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    names.push_back(std::filesystem::path(line).filename().string());
  return names;
}

// Neither when files were made nor how the host's file system keeps them is to be seen.
TEST(Fat, FilesLieInTheOrderOfTheirNames) {
  const test::TempDir folder;
  std::vector<std::string> names;
  for (int i = 0; i < 20; ++i) names.push_back("file-" + std::to_string(100 + i * 37 % 20));
  for (const char* tree : {"one", "two"}) {
    for (const std::string& each : names)
      ASSERT_TRUE(write_file(folder.file(tree) + "/a/" + each, each).ok());
    std::filesystem::create_directories(folder.file(tree) + "/empty");
    std::reverse(names.begin(), names.end());
  }
  const Fat fat{64 << 20, "1234-ABCD", 1'700'000'000};
  for (const char* tree : {"one", "two"})
    ASSERT_TRUE(make_fat(folder.file(tree) + ".fat", folder.file(tree), fat).ok());
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names_in(folder.file("one.fat"), "/a"), names);
  EXPECT_EQ(names_in(folder.file("two.fat"), "/a"), names);
  EXPECT_EQ(run({{"mtype", "-i", folder.file("one.fat"), "::a/file-107"}}).value(), "file-107");
}

}  // namespace
}  // namespace dunlin::image
