#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace dunlin::log {

// Structured events, one line and one write(2) each, to standard error, where journald and Docker
// pick them up:
//
//   log::warn("broker_lost", {{"url", url}, {"attempt", 3}});
//   time=2025-03-01T12:00:00.123Z level=warn event=broker_lost url=mqtt://10.0.0.1:1883 attempt=3
//
// An event is a short snake_case name that people can search for; what varies goes into fields. Not
// spdlog: its library and libfmt cost 0.9 MB of resident memory, one tenth of an agent.
//
// Everything here may be called from any thread. Lines never mix. Below the level a call costs one
// relaxed load. A line that standard error does not take is dropped: logging never fails.

enum class Level : std::uint8_t { debug, info, warn, error };
enum class Format : std::uint8_t { logfmt, json };

std::optional<Level> level_from(std::string_view name);    // "debug", "info", "warn", "error"
std::optional<Format> format_from(std::string_view name);  // "logfmt", "json"

// Values are borrowed for the call. Text may be any bytes: control characters are escaped, invalid
// UTF-8 becomes U+FFFD, and beyond kTextMax bytes it is cut off with "...".
inline constexpr std::size_t kTextMax = 2048;

class Value {
 public:
  Value(std::string_view text) : value_(text) {}                      // NOLINT: implicit
  Value(const char* text) : value_(std::string_view(text)) {}         // NOLINT: implicit
  Value(const std::string& text) : value_(std::string_view(text)) {}  // NOLINT: implicit
  Value(double number) : value_(number) {}                            // NOLINT: implicit
  template <std::integral T>
  Value(T number) : value_(widen(number)) {}  // NOLINT: implicit

  using Any = std::variant<std::string_view, std::int64_t, std::uint64_t, double, bool>;
  const Any& any() const { return value_; }

 private:
  template <std::integral T>
  static Any widen(T number) {
    if constexpr (std::same_as<T, bool>)
      return number;
    else if constexpr (std::signed_integral<T>)
      return static_cast<std::int64_t>(number);
    else
      return static_cast<std::uint64_t>(number);
  }
  Any value_;
};

// Keys are snake_case and not `time`, `level` or `event`, which every line has.
struct Field {
  std::string_view key;
  Value value;
};
using Fields = std::initializer_list<Field>;

void set_level(Level level);
void set_format(Format format);
// Where lines go instead of standard error; the descriptor stays the caller's.
void set_output(int fd);

namespace detail {
extern std::atomic<Level> level;
void write(Level level, std::string_view event, Fields fields);
}  // namespace detail

inline bool enabled(Level level) {
  return level >= detail::level.load(std::memory_order_relaxed);
}
inline void event(Level level, std::string_view name, Fields fields = {}) {
  if (enabled(level)) detail::write(level, name, fields);
}
inline void debug(std::string_view name, Fields fields = {}) {
  event(Level::debug, name, fields);
}
inline void info(std::string_view name, Fields fields = {}) {
  event(Level::info, name, fields);
}
inline void warn(std::string_view name, Fields fields = {}) {
  event(Level::warn, name, fields);
}
inline void error(std::string_view name, Fields fields = {}) {
  event(Level::error, name, fields);
}

// One line without its newline, for a given time (microseconds since 1970 UTC).
std::string format_line(Format format, std::int64_t time_us, Level level, std::string_view event,
                        Fields fields);

}  // namespace dunlin::log
