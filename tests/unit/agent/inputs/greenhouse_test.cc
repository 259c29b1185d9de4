#include "agent/inputs/greenhouse.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "common/base/sha256.h"
#include "dunlin/bytes.h"

namespace dunlin::agent {
namespace {

constexpr std::size_t kDay = 86'400;

Rows series(std::uint64_t seed, std::size_t n) {
  Greenhouse model({.seed = seed});
  Rows rows(4);
  model.next(n, rows);
  return rows;
}

TEST(Greenhouse, OneSeedOneSeries) {
  EXPECT_EQ(series(5, 5000), series(5, 5000));
  EXPECT_FALSE(series(5, 5000) == series(6, 5000));
}

TEST(Greenhouse, TheSizeOfTheStepsDoesNotMatter) {
  Greenhouse model({.seed = 5});
  Rows rows(4);
  for (const std::size_t n : {1u, 63u, 64u, 65u, 807u}) model.next(n, rows);
  EXPECT_EQ(rows, series(5, 1000));
}

// The same numbers on every platform: a change of this value is a change of every benchmark.
TEST(Greenhouse, TheSeriesIsFixed) {
  const Rows rows = series(1, 10'000);
  Bytes bytes;
  const auto put = [&](std::int64_t value) {
    for (int shift = 0; shift < 64; shift += 8) {
      bytes.push_back(static_cast<std::uint8_t>(static_cast<std::uint64_t>(value) >> shift));
    }
  };
  for (std::size_t row = 0; row < rows.size(); ++row) {
    put(rows.time(row));
    for (std::size_t field = 0; field < 4; ++field) put(rows.cell(row, field).integer);
  }
  EXPECT_EQ(to_hex(sha256(bytes)).substr(0, 16), "aa7fd2d58417a666");
}

TEST(Greenhouse, TimesAreMillisecondsAroundThePeriod) {
  const Rows rows = series(1, 10'000);
  std::int64_t widest = 0;
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const std::int64_t off =
        rows.time(row) - 1'767'225'600'000'000 - static_cast<std::int64_t>(row) * 1'000'000;
    EXPECT_EQ(off % 1000, 0);
    widest = std::max(widest, std::abs(off));
  }
  EXPECT_EQ(widest, 2000);
}

TEST(Greenhouse, ValuesAreThoseOfAGreenhouse) {
  const Rows rows = series(3, 3 * kDay);
  std::int64_t low[4], high[4];
  std::fill(low, low + 4, INT64_MAX);
  std::fill(high, high + 4, INT64_MIN);
  std::size_t changes[4] = {};
  std::int64_t steps[4] = {};
  for (std::size_t row = 0; row < rows.size(); ++row) {
    for (std::size_t field = 0; field < 4; ++field) {
      const std::int64_t value = rows.cell(row, field).integer;
      low[field] = std::min(low[field], value);
      high[field] = std::max(high[field], value);
      if (row == 0) continue;
      const std::int64_t step = std::abs(value - rows.cell(row - 1, field).integer);
      changes[field] += step != 0 ? 1 : 0;
      steps[field] += step;
    }
    const std::int64_t hour = static_cast<std::int64_t>(row % kDay) / 3600;
    const bool dark = hour < 5 || hour > 18;
    EXPECT_TRUE(!dark || rows.cell(row, 2).integer == 0) << row;
  }
  const auto n = static_cast<std::int64_t>(rows.size());
  EXPECT_GT(low[0], 500);
  EXPECT_LT(high[0], 4500);
  EXPECT_GT(high[0] - low[0], 500);  // it is warmer by day
  EXPECT_GE(low[1], 149);
  EXPECT_LE(high[1], 991);
  EXPECT_GT(high[2], 300'000);
  EXPECT_LE(high[2], 802'000);
  EXPECT_GE(low[3], 3299);
  EXPECT_LE(high[3], 4151);
  EXPECT_LT(steps[0] / n, 3);  // small steps, but not none
  EXPECT_LT(steps[1] / n, 3);
  for (const std::size_t changed : changes) EXPECT_GT(changed, rows.size() / 10);
}

TEST(Greenhouse, ItsSchemaSaysWhatItIs) {
  const StreamSchema schema = Greenhouse::schema();
  EXPECT_EQ(schema.name, "greenhouse_model");
  ASSERT_EQ(schema.fields.size(), 4u);
  EXPECT_EQ(schema.fields[0], (Field{"temperature", FieldType::decimal, "Cel", 2}));
  EXPECT_EQ(schema.fields[3], (Field{"battery", FieldType::decimal, "V", 3}));
}

}  // namespace
}  // namespace dunlin::agent
