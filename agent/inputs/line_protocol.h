#pragma once

#include <string_view>

#include "agent/inputs/reading.h"
#include "agent/inputs/time_format.h"
#include "dunlin/result.h"

namespace dunlin::agent {

// InfluxDB line protocol, one line without its end:
//
//   measurement[,tag=value...] field=value[,field=value...] [timestamp]
//
// The measurement is the stream (bytes a stream name cannot have become '_'), tags are text fields
// standing first, fields are 1.5 (double), 1i and 1u (int64; above 2^63-1 refused), t/true/f/false
// (bool) and "text". `\` escapes comma, equals sign and blank outside quotes, quote and backslash
// inside; any other `\` is itself.
//
// Pure: fills `out` and returns true, or false for an empty line or a comment. A malformed line is
// `malformed` with "column N: what" (N counts bytes from 1) and leaves `out` unspecified.
Result<bool> parse_line(std::string_view line, TimeUnit precision, Reading& out);

}  // namespace dunlin::agent
