#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace dunlin::agent {

// Numbers as text, independent of the locale. The whole text must be the number; a leading '+' is
// allowed.

std::optional<std::int64_t> parse_integer(std::string_view text);
std::optional<double> parse_real(std::string_view text);  // finite only

// A decimal number without rounding: mantissa / 10^decimals. "1.50" has two decimals, "2e3" none.
struct DecimalNumber {
  std::int64_t mantissa = 0;
  std::uint8_t decimals = 0;  // at most 18
};

// [+-]digits[.digits][e[+-]digits]; nullopt for anything else and for what does not fit.
std::optional<DecimalNumber> parse_decimal(std::string_view text);

// The mantissa of `number` with `decimals` digits after the point. Further digits round half away
// from zero and set `*rounded`; nullopt when it does not fit.
std::optional<std::int64_t> to_mantissa(DecimalNumber number, std::uint8_t decimals,
                                        bool* rounded = nullptr);

// The same from a double, by its shortest text: 21.5 with two decimals is 2150.
std::optional<std::int64_t> to_mantissa(double value, std::uint8_t decimals);

}  // namespace dunlin::agent
