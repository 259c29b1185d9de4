#pragma once

#include <cstdint>
#include <string_view>

namespace dunlin {

// What a track does at a bound when too few gateways hold its oldest readings to let them go.
// What is dropped is counted and declared lost.
enum class Overflow : std::uint8_t {
  drop_oldest,
  refuse_new,      // appends fail
  drop_alternate,  // every other stretch of the older half, again and again: the past grows thin
};
std::string_view to_string(Overflow overflow);

}  // namespace dunlin
