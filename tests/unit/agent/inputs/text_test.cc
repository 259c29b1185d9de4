#include "agent/inputs/text.h"

#include <gtest/gtest.h>

namespace dunlin::agent {
namespace {

TEST(Text, Utf8FollowsTheStandard) {
  for (const char* good :
       {"", "abc", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x90\xa6", "\xed\x9f\xbf"}) {
    EXPECT_TRUE(valid_utf8(good)) << good;
  }
  for (const char* bad : {"\x80", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80",
                          "\xf5\x80\x80\x80", "\xf4\x90\x80\x80", "a\xff", "\xe2\x82"}) {
    EXPECT_FALSE(valid_utf8(bad));
  }
}

TEST(Text, ExcerptsAreBoundedAndPrintable) {
  EXPECT_EQ(excerpt("abc"), "\"abc\"");
  EXPECT_EQ(excerpt("a\nb\xff"), "\"a?b?\"");
  EXPECT_EQ(excerpt(std::string(1000, 'x')).size(), 65u);
}

TEST(Text, StreamNamesAreCleaned) {
  EXPECT_EQ(stream_name_from("zigbee/living room"), "zigbee/living_room");
  EXPECT_EQ(stream_name_from("\xc3\xa4"), "__");
  EXPECT_EQ(stream_name_from(std::string(500, 'a')).size(), 128u);
  EXPECT_EQ(stream_name_from(""), "");
}

}  // namespace
}  // namespace dunlin::agent
