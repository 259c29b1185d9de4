#include "agent/inputs/number.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>

#include "common/base/random.h"

namespace dunlin::agent {
namespace {

TEST(Number, DecimalsAreExact) {
  const auto expect = [](const char* text, std::int64_t mantissa, int decimals) {
    const auto number = parse_decimal(text);
    ASSERT_TRUE(number) << text;
    EXPECT_EQ(number->mantissa, mantissa) << text;
    EXPECT_EQ(number->decimals, decimals) << text;
  };
  expect("21.53", 2153, 2);
  expect("-0.5", -5, 1);
  expect("+7", 7, 0);
  expect(".25", 25, 2);
  expect("3.", 3, 0);
  expect("3.65E+01", 365, 1);
  expect("2e3", 2000, 0);
  expect("1.5e-3", 15, 4);
  expect("-9223372036854775808", std::numeric_limits<std::int64_t>::min(), 0);
  expect("1.000000000000000000", 1'000'000'000'000'000'000, 18);
  expect("0e999", 0, 0);
}

TEST(Number, WhatIsNoDecimalIsRefused) {
  for (const char* text :
       {"", "-", ".", "1.2.3", "1e", "e5", "0x10", " 1", "1 ", "9223372036854775808", "1e19",
        "1e99999999999", "1e-19", "nan", "inf", "--1", "+-1", "1,5"}) {
    EXPECT_FALSE(parse_decimal(text)) << text;
  }
}

TEST(Number, MantissasRoundHalfAwayFromZero) {
  bool rounded = false;
  EXPECT_EQ(to_mantissa(DecimalNumber{2153, 2}, 2, &rounded), 2153);
  EXPECT_EQ(to_mantissa(DecimalNumber{215, 1}, 3, &rounded), 21500);
  EXPECT_EQ(to_mantissa(DecimalNumber{21500, 3}, 1, &rounded), 215);
  EXPECT_FALSE(rounded);
  EXPECT_EQ(to_mantissa(DecimalNumber{215, 2}, 1, &rounded), 22);
  EXPECT_TRUE(rounded);
  EXPECT_EQ(to_mantissa(DecimalNumber{-215, 2}, 1), -22);
  EXPECT_EQ(to_mantissa(DecimalNumber{214, 2}, 1), 21);
  EXPECT_EQ(to_mantissa(DecimalNumber{-214, 2}, 1), -21);
  EXPECT_FALSE(to_mantissa(DecimalNumber{INT64_MAX, 0}, 1));
  EXPECT_EQ(to_mantissa(DecimalNumber{INT64_MIN, 18}, 0), -9);
}

TEST(Number, DoublesGoByTheirShortestText) {
  EXPECT_EQ(to_mantissa(21.5, 2), 2150);
  EXPECT_EQ(to_mantissa(0.1 + 0.2, 1), 3);
  EXPECT_EQ(to_mantissa(1.005, 2), 101);
  EXPECT_EQ(to_mantissa(1e-300, 4), 0);
  EXPECT_FALSE(to_mantissa(1e300, 4));
  EXPECT_FALSE(to_mantissa(std::numeric_limits<double>::quiet_NaN(), 4));
  EXPECT_FALSE(to_mantissa(std::numeric_limits<double>::infinity(), 4));
}

TEST(Number, EveryMantissaSurvivesItsText) {
  Random random(7);
  for (int i = 0; i < 10'000; ++i) {
    const auto mantissa = static_cast<std::int64_t>(random.next()) >> random.below(64);
    const auto decimals = static_cast<std::uint8_t>(random.below(19));
    std::string digits = std::to_string(mantissa);
    const bool negative = digits[0] == '-';
    if (negative) digits.erase(0, 1);
    if (digits.size() <= decimals) digits.insert(0, decimals + 1u - digits.size(), '0');
    if (decimals > 0) digits.insert(digits.size() - decimals, ".");
    const auto number = parse_decimal((negative ? "-" : "") + digits);
    ASSERT_TRUE(number) << digits;
    EXPECT_EQ(number->mantissa, mantissa);
    EXPECT_EQ(number->decimals, decimals);
  }
}

TEST(Number, OnlyFiniteRealsAndWholeTexts) {
  EXPECT_EQ(parse_real("-1.5e3"), -1500.0);
  EXPECT_EQ(parse_real("+2"), 2.0);
  for (const char* text : {"nan", "inf", "-infinity", "1e999", "1x", "", "+", "+-1"}) {
    EXPECT_FALSE(parse_real(text)) << text;
  }
  EXPECT_EQ(parse_integer("+5"), 5);
  EXPECT_FALSE(parse_integer("5.0"));
}

}  // namespace
}  // namespace dunlin::agent
