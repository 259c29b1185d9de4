#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "dunlin/result.h"

namespace dunlin::config {

// "200ms", "5s", "1.5h", "2d": a number and one of us, ms, s, min (or m), h, d. A bare "0" needs no
// unit. Negative, unit-less and out-of-range texts are refused with `invalid_argument`.
Result<std::chrono::microseconds> parse_duration(std::string_view text);

// "64MiB", "10kB", "1.5GiB", "4096": powers of 1024 with the i, of 1000 without; bytes without a
// unit or with B.
Result<std::uint64_t> parse_size(std::string_view text);

}  // namespace dunlin::config
