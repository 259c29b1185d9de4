#include "cli/image/packages.h"

#include <gmock/gmock.h>

namespace dunlin::image {
namespace {

TEST(Licences, AreThoseOfACopyrightFileOnce) {
  EXPECT_THAT(licences("Format: x\nLicense: GPL-2+\n text\nLicense:  MIT\nLicense: GPL-2+\n"),
              ::testing::ElementsAre("GPL-2+", "MIT"));
  EXPECT_THAT(licences("This is GPL.\n"), ::testing::IsEmpty());
}

}  // namespace
}  // namespace dunlin::image
