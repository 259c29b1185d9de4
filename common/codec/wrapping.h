#pragma once

#include <cstdint>

namespace dunlin {

// Differences modulo 2^64, so that every pair of numbers has one: signed overflow is undefined.

constexpr std::uint64_t to_unsigned(std::int64_t value) {
  return static_cast<std::uint64_t>(value);
}
constexpr std::int64_t to_signed(std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}
constexpr std::int64_t wrapping_sub(std::int64_t a, std::int64_t b) {
  return to_signed(to_unsigned(a) - to_unsigned(b));
}
constexpr std::int64_t wrapping_add(std::int64_t a, std::int64_t b) {
  return to_signed(to_unsigned(a) + to_unsigned(b));
}

}  // namespace dunlin
