#include "cli/image/manifest.h"

#include <gtest/gtest.h>

namespace dunlin::image {
namespace {

const Manifest kManifest{"qemu-arm64",
                         "arm64",
                         "u-boot",
                         "0.1.0",
                         "abcdef",
                         "6.1.0-1",
                         true,
                         1'700'000'000,
                         {{"root", 4096, "00ff"}},
                         {{"libc6", "2.36", {"LGPL-2.1"}}, {"busybox-static", "1:1.35", {}}}};

TEST(Manifest, ReadsBackAsWritten) {
  EXPECT_EQ(read_manifest(write_manifest(kManifest)).value(), kManifest);
}

TEST(Manifest, ForeignBytesAreAnError) {
  const std::string text = write_manifest(kManifest);
  for (std::size_t size = 0; size + 2 < text.size(); ++size)
    EXPECT_FALSE(read_manifest(text.substr(0, size)).ok()) << size;
  EXPECT_EQ(read_manifest("[]").error().code, Errc::malformed);
  EXPECT_EQ(read_manifest("{\"format\": 2}").error().code, Errc::unsupported);
}

}  // namespace
}  // namespace dunlin::image
