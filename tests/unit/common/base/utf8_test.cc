#include "common/base/utf8.h"

#include <gtest/gtest.h>

namespace dunlin {
namespace {

using namespace std::string_view_literals;

TEST(Utf8, AcceptsTheCornersOfEveryLength) {
  for (const auto text : {""sv, "\0"sv, "plain \x7f"sv, "\xc2\x80"sv, "\xdf\xbf"sv,
                          "\xe0\xa0\x80"sv, "\xed\x9f\xbf"sv, "\xee\x80\x80"sv, "\xef\xbf\xbf"sv,
                          "\xf0\x90\x80\x80"sv, "\xf4\x8f\xbf\xbf"sv}) {
    EXPECT_TRUE(is_utf8(text)) << text;
  }
}

TEST(Utf8, RefusesWhatRfc3629Excludes) {
  for (const auto text : {"\x80"sv, "\xbf"sv, "\xc0\x80"sv, "\xc1\xbf"sv, "\xe0\x9f\xbf"sv,
                          "\xed\xa0\x80"sv, "\xed\xbf\xbf"sv, "\xf0\x8f\xbf\xbf"sv,
                          "\xf4\x90\x80\x80"sv, "\xf5\x80\x80\x80"sv, "\xff"sv, "\xfe"sv}) {
    EXPECT_FALSE(is_utf8(text));
  }
}

TEST(Utf8, RefusesSequencesThatEndEarlyOrGoWrong) {
  for (const auto text : {"\xc3"sv, "\xe2\x82"sv, "\xf0\x9f\x90"sv, "a\xc3"sv, "\xc3("sv,
                          "\xe2(\xac"sv, "\xe2\x82("sv, "\xf0\x9f\x90("sv}) {
    EXPECT_FALSE(is_utf8(text));
  }
}

}  // namespace
}  // namespace dunlin
