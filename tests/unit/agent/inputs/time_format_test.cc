#include "agent/inputs/time_format.h"

#include <gtest/gtest.h>

namespace dunlin::agent {
namespace {

std::int64_t parsed(const char* format, const char* text) {
  const auto time = TimeFormat::from(format).value().parse(text);
  EXPECT_TRUE(time.ok()) << format << " " << text;
  return time.ok() ? time.value() : -1;
}

TEST(TimeFormat, NumbersAreExact) {
  EXPECT_EQ(parsed("unix", "1700000000.123456"), 1'700'000'000'123'456);
  EXPECT_EQ(parsed("unix", "-0.0000015"), -2);
  EXPECT_EQ(parsed("unix_ms", "1700000000123"), 1'700'000'000'123'000);
  EXPECT_EQ(parsed("unix_us", "5"), 5);
  EXPECT_EQ(parsed("unix_ns", "1700000000123456789"), 1'700'000'000'123'456);
  EXPECT_EQ(parsed("unix_ns", "-1"), -1);
}

TEST(TimeFormat, Iso8601) {
  constexpr std::int64_t kBase = 1'767'225'600'000'000;  // 2026-01-01T00:00:00Z
  EXPECT_EQ(parsed("iso8601", "2026-01-01T00:00:00Z"), kBase);
  EXPECT_EQ(parsed("iso8601", "2026-01-01"), kBase);
  EXPECT_EQ(parsed("iso8601", "2026-01-01 00:00:01.5"), kBase + 1'500'000);
  EXPECT_EQ(parsed("iso8601", "2026-01-01T01:00+01:00"), kBase);
  EXPECT_EQ(parsed("iso8601", "2025-12-31T19:00:00-0500"), kBase);
  EXPECT_EQ(parsed("iso8601", "2004-02-28 00:59:16.02785"), 1'077'929'956'027'850);
  EXPECT_EQ(parsed("iso8601", "1969-12-31T23:59:59.123456789Z"), -876'544);
}

TEST(TimeFormat, Patterns) {
  EXPECT_EQ(parsed("%Y-%m-%d %H:%M:%S", "2026-01-01 00:00:00.25"), 1'767'225'600'250'000);
  EXPECT_EQ(parsed("%d/%b/%y %I:%M %p", "01/Jan/26 12:30 PM"), 1'767'270'600'000'000);
  EXPECT_EQ(parsed("%F %T %z", "2026-01-01 01:00:00 +01:00"), 1'767'225'600'000'000);
  EXPECT_EQ(parsed("%Y %j 100%%", "2026 32 100%"), 1'769'904'000'000'000);
}

TEST(TimeFormat, WhatDoesNotFollowIsRefused) {
  const auto refused = [](const char* format, const char* text) {
    return !TimeFormat::from(format).value().parse(text).ok();
  };
  for (const char* text :
       {"", "2026", "2026-13-01", "2026-02-30", "2026-01-01T24:00:00", "2026-01-01T00:00:00.",
        "2026-01-01T00:00:00Zx", "2026-01-01T00:00:00+1", "0000-01-01", "9223372036854775807"}) {
    EXPECT_TRUE(refused("iso8601", text)) << text;
  }
  EXPECT_TRUE(refused("unix", "nan"));
  EXPECT_TRUE(refused("unix", "9223372036854775807"));
  EXPECT_TRUE(refused("unix_us", "9223372036854775807"));
  EXPECT_TRUE(refused("%H:%M", "5:x"));
  EXPECT_TRUE(refused("%Y %j", "2026 366"));
}

TEST(TimeFormat, UnknownFormatsAreRefused) {
  for (const char* text : {"", "unix_s", "ISO", "%Q", "%Y-%"}) {
    EXPECT_FALSE(TimeFormat::from(text).ok()) << text;
  }
}

}  // namespace
}  // namespace dunlin::agent
