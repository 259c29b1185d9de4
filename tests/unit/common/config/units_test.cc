#include "common/config/units.h"

#include <gtest/gtest.h>

namespace dunlin::config {
namespace {

using namespace std::chrono_literals;

TEST(Units, DurationsHaveUnits) {
  EXPECT_EQ(parse_duration("200ms").value(), 200ms);
  EXPECT_EQ(parse_duration("5s").value(), 5s);
  EXPECT_EQ(parse_duration("1.5h").value(), 90min);
  EXPECT_EQ(parse_duration("2d").value(), 48h);
  EXPECT_EQ(parse_duration("3 min").value(), 3min);
  EXPECT_EQ(parse_duration("7us").value(), 7us);
  EXPECT_EQ(parse_duration("0").value(), 0us);
}

TEST(Units, WrongDurationsAreRefused) {
  for (const char* text : {"", "5", "s", "-5s", "5 parsecs", "1e300d", "nans", "inf", "5s5", "0x5s",
                           "99999999999999d", "-0s"}) {
    EXPECT_FALSE(parse_duration(text).ok()) << text;
  }
}

TEST(Units, SizesAreBinaryWithAnI) {
  EXPECT_EQ(parse_size("4096").value(), 4096u);
  EXPECT_EQ(parse_size("64MiB").value(), 64u << 20);
  EXPECT_EQ(parse_size("10kB").value(), 10'000u);
  EXPECT_EQ(parse_size("1.5 GiB").value(), 3u << 29);
  EXPECT_EQ(parse_size("2TB").value(), 2'000'000'000'000u);
  EXPECT_EQ(parse_size("12B").value(), 12u);
}

TEST(Units, WrongSizesAreRefused) {
  for (const char* text : {"", "MiB", "10mb", "-1", "1e4", "99999999TiB"}) {
    EXPECT_FALSE(parse_size(text).ok()) << text;
  }
}

}  // namespace
}  // namespace dunlin::config
