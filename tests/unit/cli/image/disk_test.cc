#include "cli/image/disk.h"

#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace dunlin::image {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

TEST(Disk, PartitionsFollowEachOtherInFullMebibytes) {
  const Layout layout = layout_of({64 * kMiB, 10 * kMiB + 1, 3 * kMiB});
  EXPECT_EQ(layout.partitions[Layout::boot].offset, kMiB);
  EXPECT_EQ(layout.partitions[Layout::root_a].offset, 65 * kMiB);
  EXPECT_EQ(layout.partitions[Layout::root_a].size, 11 * kMiB);
  EXPECT_EQ(layout.partitions[Layout::root_b].offset, 76 * kMiB);
  EXPECT_EQ(layout.partitions[Layout::data].offset, 87 * kMiB);
  EXPECT_EQ(layout.size, 91 * kMiB);
}

TEST(Disk, ATableOfEitherKindReadsBack) {
  const test::TempDir folder;
  const Layout layout = layout_of({4 * kMiB, 4 * kMiB, 4 * kMiB});
  for (const bool mbr : {false, true}) {
    const std::string file = folder.file(mbr ? "mbr.img" : "gpt.img");
    const std::string again = file + ".again";
    ASSERT_TRUE(make_disk(file, layout, {mbr, "seed"}).ok());
    ASSERT_TRUE(make_disk(again, layout, {mbr, "seed"}).ok());
    EXPECT_EQ(read_file(file).value(), read_file(again).value());
    const Layout read = read_layout(file).value();
    EXPECT_EQ(read.size, layout.size);
    for (int i = 0; i < Layout::kCount; ++i) {
      EXPECT_EQ(read.partitions[i].offset, layout.partitions[i].offset);
      EXPECT_EQ(read.partitions[i].size, layout.partitions[i].size);
    }
  }
}

TEST(Disk, WhatHasNoSuchTableIsNoneOfOurs) {
  const test::TempDir folder;
  EXPECT_FALSE(read_layout(folder.write("empty.img", std::string(kMiB, '\0'))).ok());
  EXPECT_FALSE(read_layout(folder.file("missing.img")).ok());
}

TEST(Disk, AUuidIsOneOfVersion4) {
  EXPECT_EQ(uuid_of("a").size(), 36U);
  EXPECT_EQ(uuid_of("a")[14], '4');
  EXPECT_EQ(uuid_of("a")[19], 'a');
  EXPECT_NE(uuid_of("a"), uuid_of("b"));
}

}  // namespace
}  // namespace dunlin::image
