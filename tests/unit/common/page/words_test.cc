#include "common/page/words.h"

#include <gtest/gtest.h>

namespace dunlin::page {
namespace {

TEST(Words, HaveFewDigits) {
  EXPECT_EQ(count_text(1234567), "1,234,567");
  EXPECT_EQ(count_text(4.26), "4.3");
  EXPECT_EQ(bytes_text(0), "0 B");
  EXPECT_EQ(bytes_text(68'208), "68 kB");
  EXPECT_EQ(seconds_text(0), "0 s");
  EXPECT_EQ(seconds_text(0.0213), "21 ms");
  EXPECT_EQ(seconds_text(74), "74 s");
  EXPECT_EQ(seconds_text(86'400), "24 h");
  EXPECT_EQ(percent_text(0.05), "5 %");
}

}  // namespace
}  // namespace dunlin::page
