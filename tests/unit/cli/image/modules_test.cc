#include "cli/image/modules.h"

#include <gmock/gmock.h>

namespace dunlin::image {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const Modules kModules(
    "kernel/fs/vfat.ko: kernel/fs/fat.ko\n"
    "kernel/fs/fat.ko:\n"
    "kernel/net/virtio_net.ko: kernel/net/net_failover.ko kernel/net/failover.ko\n"
    "kernel/net/net_failover.ko: kernel/net/failover.ko\n"
    "kernel/net/failover.ko:\n"
    "kernel/fs/ext4.ko: kernel/fs/jbd2.ko\n"
    "kernel/fs/jbd2.ko:\n"
    "kernel/crypto/crc32c_generic.ko:\n"
    "kernel/a.ko:\n"
    "kernel/b.ko:\n",
    "# comment\n"
    "softdep jbd2 pre: crc32c-generic\n"
    "softdep a pre: b post: nothing-of-ours\n"
    "softdep b pre: a\n",
    "kernel/drivers/rtc-pl031.ko\n");

std::vector<std::string> files(const std::vector<std::string>& names) {
  return kModules.files(names).value();
}

TEST(Modules, ComeAfterWhatTheyNeed) {
  EXPECT_THAT(files({"vfat"}), ElementsAre("kernel/fs/fat.ko", "kernel/fs/vfat.ko"));
  EXPECT_THAT(files({"virtio-net"}),
              ElementsAre("kernel/net/failover.ko", "kernel/net/net_failover.ko",
                          "kernel/net/virtio_net.ko"));
  EXPECT_THAT(files({"ext4"}), ElementsAre("kernel/crypto/crc32c_generic.ko", "kernel/fs/jbd2.ko",
                                           "kernel/fs/ext4.ko"));
}

TEST(Modules, ComeOnce) {
  EXPECT_THAT(files({"fat", "vfat", "fat"}), ElementsAre("kernel/fs/fat.ko", "kernel/fs/vfat.ko"));
}

TEST(Modules, SoftDependenciesMayBeCircles) {
  EXPECT_THAT(files({"a"}), ElementsAre("kernel/b.ko", "kernel/a.ko"));
}

TEST(Modules, WhatIsPartOfTheKernelNeedsNoFile) {
  EXPECT_THAT(files({"rtc_pl031"}), IsEmpty());
}

TEST(Modules, AnUnknownNameIsAnError) {
  const auto none = kModules.files({"vfat", "vfatt"});
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().message(), "not_found: the kernel has no module vfatt");
}

}  // namespace
}  // namespace dunlin::image
