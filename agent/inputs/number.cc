#include "agent/inputs/number.h"

#include <charconv>
#include <cmath>
#include <system_error>

namespace dunlin::agent {

namespace {

template <typename T>
std::optional<T> parse_whole(std::string_view text) {
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  T value{};
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end) return std::nullopt;
  return value;
}

constexpr int kDecimalsMax = 18;

// value * 10^n, or nullopt when it does not fit.
std::optional<std::int64_t> scale_up(std::int64_t value, int n) {
  if (value == 0) return 0;
  for (; n > 0; --n) {
    if (__builtin_mul_overflow(value, std::int64_t{10}, &value)) return std::nullopt;
  }
  return value;
}

}  // namespace

std::optional<std::int64_t> parse_integer(std::string_view text) {
  return parse_whole<std::int64_t>(text);
}

std::optional<double> parse_real(std::string_view text) {
  const auto value = parse_whole<double>(text);
  if (!value || !std::isfinite(*value)) return std::nullopt;
  return value;
}

std::optional<DecimalNumber> parse_decimal(std::string_view text) {
  std::size_t at = 0;
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) ++at;
  std::int64_t mantissa = 0;  // negative all along: the smallest int64 has no positive twin
  int decimals = 0;
  bool digits = false, point = false;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '.' && !point) {
      point = true;
    } else if (c >= '0' && c <= '9') {
      digits = true;
      if (__builtin_mul_overflow(mantissa, std::int64_t{10}, &mantissa) ||
          __builtin_sub_overflow(mantissa, std::int64_t{c - '0'}, &mantissa)) {
        return std::nullopt;
      }
      if (point) ++decimals;
    } else {
      break;
    }
  }
  if (!digits) return std::nullopt;
  if (at < text.size()) {
    if (text[at] != 'e' && text[at] != 'E') return std::nullopt;
    const auto exponent = parse_whole<int>(text.substr(at + 1));
    if (!exponent || *exponent > 1000 || *exponent < -1000) return std::nullopt;
    decimals -= *exponent;
  }
  // Zeros at the end carry no value where there are too many digits.
  while (decimals > kDecimalsMax && mantissa % 10 == 0 && mantissa != 0) mantissa /= 10, --decimals;
  if (mantissa == 0 && decimals > kDecimalsMax) decimals = kDecimalsMax;
  if (decimals > kDecimalsMax) return std::nullopt;
  if (decimals < 0) {
    const auto scaled = scale_up(mantissa, -decimals);
    if (!scaled) return std::nullopt;
    mantissa = *scaled;
    decimals = 0;
  }
  if (!negative && __builtin_sub_overflow(std::int64_t{0}, mantissa, &mantissa)) {
    return std::nullopt;
  }
  return DecimalNumber{mantissa, static_cast<std::uint8_t>(decimals)};
}

std::optional<std::int64_t> to_mantissa(DecimalNumber number, std::uint8_t decimals,
                                        bool* rounded) {
  if (number.decimals <= decimals) return scale_up(number.mantissa, decimals - number.decimals);
  std::int64_t divisor = 1;
  for (int i = decimals; i < number.decimals; ++i) divisor *= 10;
  const std::int64_t rest = number.mantissa % divisor;
  std::int64_t value = number.mantissa / divisor;
  if (rest >= divisor - rest && rest > 0) ++value;
  if (rest <= -divisor - rest && rest < 0) --value;
  if (rest != 0 && rounded != nullptr) *rounded = true;
  return value;
}

std::optional<std::int64_t> to_mantissa(double value, std::uint8_t decimals) {
  char buffer[64];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
  if (error != std::errc()) return std::nullopt;
  const auto number =
      parse_decimal(std::string_view(buffer, static_cast<std::size_t>(end - buffer)));
  if (number) return to_mantissa(*number, decimals);
  // Below 10^-18 nothing is left of it; above the range of an int64 it does not fit.
  return std::fabs(value) < 1e-3 ? std::optional<std::int64_t>(0) : std::nullopt;
}

}  // namespace dunlin::agent
