#include "agent/inputs/time_format.h"

#include <array>
#include <chrono>
#include <optional>
#include <utility>

#include "agent/inputs/text.h"

namespace dunlin::agent {

namespace {

constexpr std::int64_t kMicrosPerSecond = 1'000'000;
constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                      "jul", "aug", "sep", "oct", "nov", "dec"};

// The years -9999 to 9999, so that sums and differences of times never overflow.
constexpr std::int64_t kMicrosMax = 253'402'300'800 * kMicrosPerSecond;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// A broken-down time while it is being read.
struct Parts {
  std::int64_t year = 1970, month = 1, day = 1, day_of_year = 0;
  std::int64_t hour = 0, minute = 0, second = 0, micros = 0;
  std::int64_t offset_minutes = 0;
  bool twelve_hours = false, afternoon = false;
};

std::optional<std::int64_t> to_micros(const Parts& t) {
  using namespace std::chrono;
  std::int64_t hour = t.hour;
  if (t.twelve_hours) {
    if (hour < 1 || hour > 12) return std::nullopt;
    hour = hour % 12 + (t.afternoon ? 12 : 0);
  }
  const year_month_day date(year(static_cast<int>(t.year)), month(static_cast<unsigned>(t.month)),
                            day(static_cast<unsigned>(t.day)));
  if (!date.ok() || t.year < 1 || t.year > 9999) return std::nullopt;
  if (hour > 23 || t.minute > 59 || t.second > 60) return std::nullopt;
  std::int64_t days = sys_days(date).time_since_epoch().count();
  if (t.day_of_year > 0) {
    const bool leap = year(static_cast<int>(t.year)).is_leap();
    if (t.day_of_year > (leap ? 366 : 365)) return std::nullopt;
    days = sys_days(year(static_cast<int>(t.year)) / 1 / 1).time_since_epoch().count() +
           t.day_of_year - 1;
  }
  const std::int64_t seconds =
      days * 86400 + hour * 3600 + (t.minute - t.offset_minutes) * 60 + t.second;
  return seconds * kMicrosPerSecond + t.micros;
}

// Eats a text from the left.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool done() const { return text_.empty(); }
  char peek() const { return text_.empty() ? '\0' : text_.front(); }
  bool take(char c) {
    if (peek() != c || text_.empty()) return false;
    text_.remove_prefix(1);
    return true;
  }
  void skip_blanks() {
    while (peek() == ' ' || peek() == '\t') text_.remove_prefix(1);
  }
  bool number(std::size_t digits_min, std::size_t digits_max, std::int64_t& out) {
    std::size_t n = 0;
    out = 0;
    while (n < digits_max && n < text_.size() && is_digit(text_[n])) {
      out = out * 10 + (text_[n++] - '0');
    }
    text_.remove_prefix(n);
    return n >= digits_min;
  }
  // ".123456": any number of digits, cut to microseconds.
  bool fraction(std::int64_t& micros) {
    if (!take('.') && !take(',')) return true;
    if (!is_digit(peek())) return false;
    micros = 0;
    std::int64_t unit = kMicrosPerSecond / 10;
    for (; is_digit(peek()); text_.remove_prefix(1), unit /= 10) micros += (peek() - '0') * unit;
    return true;
  }
  // "Z", "+01:00", "+0100", "-05".
  bool offset(std::int64_t& minutes) {
    if (take('Z') || take('z')) return true;
    const bool minus = peek() == '-';
    if (!take('+') && !take('-')) return false;
    std::int64_t h = 0, m = 0;
    if (!number(2, 2, h)) return false;
    if (take(':') || is_digit(peek())) {
      if (!number(2, 2, m)) return false;
    }
    if (h > 23 || m > 59) return false;
    minutes = (h * 60 + m) * (minus ? -1 : 1);
    return true;
  }
  // A word of letters, lower-cased.
  std::string word() {
    std::string out;
    for (char c = peek(); (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); c = peek()) {
      out.push_back(static_cast<char>(c | 0x20));
      text_.remove_prefix(1);
    }
    return out;
  }

 private:
  std::string_view text_;
};

bool scan_date(Scanner& in, Parts& t) {
  return in.number(4, 4, t.year) && in.take('-') && in.number(2, 2, t.month) && in.take('-') &&
         in.number(2, 2, t.day);
}

bool scan_iso8601(Scanner& in, Parts& t) {
  if (!scan_date(in, t)) return false;
  if (in.done()) return true;
  if (!in.take('T') && !in.take('t') && !in.take(' ')) return false;
  if (!in.number(2, 2, t.hour) || !in.take(':') || !in.number(2, 2, t.minute)) return false;
  if (in.take(':') && !(in.number(2, 2, t.second) && in.fraction(t.micros))) return false;
  in.skip_blanks();
  return in.done() || (in.offset(t.offset_minutes) && in.done());
}

bool scan_month_name(Scanner& in, Parts& t) {
  const std::string name = in.word().substr(0, 3);
  for (std::size_t i = 0; i < kMonths.size(); ++i) {
    if (kMonths[i] == name) return t.month = static_cast<std::int64_t>(i) + 1, true;
  }
  return false;
}

bool scan_directive(char directive, Scanner& in, Parts& t) {
  switch (directive) {
    case 'Y':
      return in.number(4, 4, t.year);
    case 'y':
      if (!in.number(2, 2, t.year)) return false;
      t.year += t.year < 69 ? 2000 : 1900;  // as POSIX does
      return true;
    case 'm':
      return in.number(1, 2, t.month);
    case 'e':
      in.skip_blanks();
      [[fallthrough]];
    case 'd':
      return in.number(1, 2, t.day);
    case 'j':
      return in.number(1, 3, t.day_of_year) && t.day_of_year > 0;
    case 'H':
      return in.number(1, 2, t.hour);
    case 'I':
      return t.twelve_hours = true, in.number(1, 2, t.hour);
    case 'M':
      return in.number(1, 2, t.minute);
    case 'S':
      return in.number(1, 2, t.second) && in.fraction(t.micros);
    case 'b':
      return scan_month_name(in, t);
    case 'z':
      return in.offset(t.offset_minutes);
    case 'F':
      return scan_date(in, t);
    case 'T':
      return in.number(2, 2, t.hour) && in.take(':') && in.number(2, 2, t.minute) && in.take(':') &&
             in.number(2, 2, t.second) && in.fraction(t.micros);
    case 'p': {
      const std::string half = in.word();
      t.afternoon = half == "pm";
      return half == "am" || half == "pm";
    }
    case '%':
      return in.take('%');
    default:
      return false;
  }
}

bool scan_pattern(std::string_view pattern, Scanner& in, Parts& t) {
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == ' ') {
      in.skip_blanks();
    } else if (c == '%') {
      if (!scan_directive(pattern[++i], in, t)) return false;
    } else if (!in.take(c)) {
      return false;
    }
  }
  return in.done();
}

}  // namespace

Result<std::int64_t> micros_from(DecimalNumber count, TimeUnit unit) {
  int shift = static_cast<int>(unit) - count.decimals;
  std::int64_t micros = count.mantissa;
  bool fits = true;
  for (; shift > 0 && fits; --shift) {
    fits = !__builtin_mul_overflow(micros, std::int64_t{10}, &micros);
  }
  for (; shift < 0; ++shift) micros = micros / 10 - (micros % 10 < 0 ? 1 : 0);
  if (!fits || micros >= kMicrosMax || micros <= -kMicrosMax) {
    return {Errc::malformed, "a time beyond the year 9999"};
  }
  return micros;
}

Result<TimeFormat> TimeFormat::from(std::string_view text) {
  constexpr std::pair<std::string_view, TimeUnit> kNumbers[] = {{"unix", TimeUnit::seconds},
                                                                {"unix_ms", TimeUnit::millis},
                                                                {"unix_us", TimeUnit::micros},
                                                                {"unix_ns", TimeUnit::nanos}};
  TimeFormat format;
  if (text == "iso8601") return format;
  for (const auto& [name, unit] : kNumbers) {
    if (name != text) continue;
    format.kind_ = Kind::number;
    format.unit_ = unit;
    return format;
  }
  format.kind_ = Kind::pattern;
  format.pattern_ = text;
  bool any = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') continue;
    any = true;
    constexpr std::string_view kKnown = "YymdejHIMSbzFTp%";
    if (++i == text.size() || kKnown.find(text[i]) == std::string_view::npos) {
      return {Errc::invalid_argument,
              "the time format " + excerpt(text) + " has an unknown % part"};
    }
  }
  if (!any) {
    return {Errc::invalid_argument, "unknown time format " + excerpt(text) +
                                        " (unix, unix_ms, unix_us, unix_ns, iso8601 or a pattern "
                                        "such as \"%Y-%m-%d %H:%M:%S\")"};
  }
  return format;
}

Result<std::int64_t> TimeFormat::parse(std::string_view text) const {
  const Error wrong{Errc::malformed, excerpt(text) + " is not a time of the expected format"};
  if (kind_ == Kind::number) {
    // Exact: 1700000000.123456 has no double.
    const auto number = parse_decimal(text);
    if (!number) return wrong;
    return micros_from(*number, unit_);
  }
  Scanner in(text);
  Parts parts;
  const bool follows =
      kind_ == Kind::iso8601 ? scan_iso8601(in, parts) : scan_pattern(pattern_, in, parts);
  const auto micros = follows ? to_micros(parts) : std::optional<std::int64_t>();
  if (!micros) return wrong;
  return *micros;
}

}  // namespace dunlin::agent
