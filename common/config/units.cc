#include "common/config/units.h"

#include <charconv>
#include <cmath>
#include <string>

namespace dunlin::config {

namespace {

struct Unit {
  std::string_view name;
  double factor;
};

constexpr Unit kDurations[] = {{"us", 1},     {"ms", 1e3},   {"s", 1e6},    {"m", 60e6},
                               {"min", 60e6}, {"h", 3600e6}, {"d", 86400e6}};
constexpr Unit kSizes[] = {{"", 1},      {"B", 1},
                           {"kB", 1e3},  {"KiB", 1024},
                           {"MB", 1e6},  {"MiB", 1024.0 * 1024},
                           {"GB", 1e9},  {"GiB", 1024.0 * 1024 * 1024},
                           {"TB", 1e12}, {"TiB", 1024.0 * 1024 * 1024 * 1024}};

// A non-negative number with its unit, in the units' base. 2^53 bounds it, where doubles are exact.
template <std::size_t N>
Result<double> parse(std::string_view text, const Unit (&units)[N], const char* example) {
  const auto wrong = [&]() -> Error {
    return {Errc::invalid_argument,
            "\"" + std::string(text.substr(0, 64)) + "\" is not " + example};
  };
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  if (error != std::errc() || !(number >= 0) || std::signbit(number)) return wrong();
  std::string_view name(rest, static_cast<std::size_t>(end - rest));
  while (!name.empty() && name.front() == ' ') name.remove_prefix(1);
  if (number == 0 && name.empty()) return 0.0;
  for (const Unit& unit : units) {
    if (unit.name != name) continue;
    const double value = std::round(number * unit.factor);
    if (!(value <= 0x1p53)) return wrong();
    return value;
  }
  return wrong();
}

}  // namespace

Result<std::chrono::microseconds> parse_duration(std::string_view text) {
  DUNLIN_ASSIGN(
      const double value,
      parse(text, kDurations, "a duration such as \"200ms\", \"5s\", \"1.5h\" or \"2d\""));
  return std::chrono::microseconds(static_cast<std::int64_t>(value));
}

Result<std::uint64_t> parse_size(std::string_view text) {
  DUNLIN_ASSIGN(const double value,
                parse(text, kSizes, "a size such as 4096, \"10kB\" or \"64MiB\""));
  return static_cast<std::uint64_t>(value);
}

}  // namespace dunlin::config
