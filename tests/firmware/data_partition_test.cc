// What becomes of a data partition: the script of the image, with an e2fsck that ends as it is
// told.
#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace dunlin::test {
namespace {

constexpr const char* kNoFileSystem =
    "8:Bad magic number in super-block. The superblock could not be read or does not describe a "
    "valid ext2/ext3/ext4";

class DataPartition : public ::testing::Test {
 protected:
  // Of an e2fsck that ends with these codes, one after the other ("8:and says so"), and mounts that
  // do with those: what is used, and each step to it.
  std::string outcome(const std::string& checks, const std::string& mounts) {
    const std::string log = folder_.file(std::to_string(++count_) + ".log");
    const std::string script = R"(
. "$SCRIPT"
report=$REPORT
next() { code=${1%%|*}; }
e2fsck() { next "$checks"; checks=${checks#*|}; echo "${code#*:}"; return "${code%%:*}"; }
mount_data() { next "$mounts"; mounts=${mounts#*|}; return "$code"; }
make_data() { echo made; }
mount() { echo memory; }
use_data
echo "$data")";
    run_program({.program = "sh",
                 .args = {"-c", script},
                 .env = {"SCRIPT=" + std::string(DUNLIN_SOURCE_DIR) +
                             "/firmware-profiles/base/root/usr/lib/dunlin/data",
                         "REPORT=" + folder_.file("report"), "checks=" + checks, "mounts=" + mounts,
                         "disk=/nowhere"},
                 .output_file = log});
    std::ifstream in(log);
    std::string out;
    for (std::string line; std::getline(in, line);) out += (out.empty() ? "" : " ") + line;
    return out;
  }
  TempDir folder_;
  int count_ = 0;
};

TEST_F(DataPartition, IsMendedWhereThatCanBe) {
  EXPECT_EQ(outcome("0|", "0|"), "clean");
  EXPECT_EQ(outcome("1|", "0|"), "repaired");
  EXPECT_EQ(outcome("4|1|", "0|"), "repaired");
  EXPECT_EQ(outcome("8:Bad magic number in super-block|1|", "0|"), "repaired");
}

TEST_F(DataPartition, IsMadeAnewWhenItIsBeyondRepair) {
  EXPECT_EQ(outcome("4|4|", "0|"), "made new");
  EXPECT_EQ(outcome(kNoFileSystem + std::string("|") + kNoFileSystem + "|", "0|"), "made new");
  const std::string corrupt =
      "8:Superblock checksum does not match superblock while trying to open /dev/vda4. The "
      "superblock could not be read or does not describe a valid ext2/ext3/ext4|";
  EXPECT_EQ(outcome(corrupt + corrupt, "0|"), "made new");
}

TEST_F(DataPartition, IsLeftAloneWhenItCouldNotBeCheckedOrMounted) {
  EXPECT_EQ(outcome("127|127|127|127|", ""), "memory none");
  EXPECT_EQ(outcome("137|137|0|", "0|"), "clean");  // once more
  EXPECT_EQ(outcome("4|137|4|137|", ""), "memory none");
  EXPECT_EQ(outcome("0|0|", "32|32|"), "memory none");
  EXPECT_EQ(outcome("0|0|", "32|0|"), "clean");
  EXPECT_EQ(outcome("8:Possibly non-existent device?|8:Possibly non-existent device?|"
                    "8:Possibly non-existent device?|8:Possibly non-existent device?|",
                    ""),
            "memory none");
}

}  // namespace
}  // namespace dunlin::test
