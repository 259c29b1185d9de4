#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dunlin/result.h"
#include "tests/bench/pipe/reading_table.h"

namespace dunlin::bench {

// The JSON of the pipe. Ids count up inside a message, so only the first is told; `t` is in
// milliseconds since 1970 with up to three decimals; `c` stands only where Reading::clock_us is
// set.
//
//   {"first":1201,"readings":[{"t":1767225600001,"temperature":21.53,"humidity":61.2,
//     "light":1043.9,"battery":4.149,"c":81234567},...]}          (without the line break)

// Replaces `out`. Every number reads back as the same. `time_us` is not negative.
void encode_message(std::int64_t first, std::span<const Reading> readings, std::string& out);

// Replaces `out` and returns the first id. Takes what encode_message() writes, nothing else:
// `malformed` otherwise.
Result<std::int64_t> decode_message(std::string_view text, std::vector<Reading>& out);

}  // namespace dunlin::bench
