#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "agent/inputs/number.h"
#include "dunlin/result.h"

namespace dunlin::agent {

// What a number that is a time counts, as a power of ten of microseconds.
enum class TimeUnit : int { nanos = -3, micros = 0, millis = 3, seconds = 6 };

// `count` since 1970 as microseconds, floored; `malformed` beyond the year 9999.
Result<std::int64_t> micros_from(DecimalNumber count, TimeUnit unit);

// Reads times written in one format, as UTC microseconds. Immutable; any thread.
//
//   unix, unix_ms, unix_us, unix_ns   a number since 1970, fractions allowed, exact
//   iso8601   2026-01-31[T| ]23:59[:59[.123]][Z|+01:00], or a date alone; UTC without an offset
//   a pattern of %Y %y %m %d %e %H %I %p %M %S %b %j %z %F %T %% and literal text; %S takes a
//   fraction; blanks match any number of blanks; UTC without %z
class TimeFormat {
 public:
  // Refuses unknown names and patterns with `invalid_argument`.
  static Result<TimeFormat> from(std::string_view text);

  // `malformed` when `text` does not follow the format or lies beyond the year 9999.
  Result<std::int64_t> parse(std::string_view text) const;

 private:
  enum class Kind : std::uint8_t { number, iso8601, pattern };
  Kind kind_ = Kind::iso8601;
  TimeUnit unit_ = TimeUnit::seconds;
  std::string pattern_;
};

}  // namespace dunlin::agent
