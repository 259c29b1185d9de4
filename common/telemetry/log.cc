#include "common/telemetry/log.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <mutex>

#include "common/base/wall_clock.h"

namespace dunlin::log {

namespace {

constexpr std::array<std::string_view, 4> kLevels{"debug", "info", "warn", "error"};
constexpr std::array<std::string_view, 2> kFormats{"logfmt", "json"};

std::atomic<Format> current_format{Format::logfmt};
std::atomic<int> output{STDERR_FILENO};

// The length of the well-formed UTF-8 sequence at the start of `text` (Unicode 15, table 3-7), or
// 0.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
  unsigned low = 0x80;
  unsigned high = 0xbf;
  if (lead == 0xe0) low = 0xa0;   // no overlong forms
  if (lead == 0xed) high = 0x9f;  // no surrogates
  if (lead == 0xf0) low = 0x90;
  if (lead == 0xf4) high = 0x8f;  // nothing above U+10FFFF
  if (byte(1) < low || byte(1) > high) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if ((byte(i) & 0xc0U) != 0x80) return 0;
  }
  return length;
}

// The escapes of JSON, which logfmt readers understand as well.
void append_quoted(std::string& out, std::string_view text) {
  const bool cut = text.size() > kTextMax;
  if (cut) {
    std::size_t end = kTextMax;
    while (end > kTextMax - 3 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80) --end;
    text = text.substr(0, end);
  }
  out += '"';
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const char c = text.front();
    if (length == 0) {
      out += "\xef\xbf\xbd";
    } else if (c == '"' || c == '\\') {
      out += '\\', out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      std::array<char, 8> escape;
      std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned>(c));
      out += escape.data();
    } else if (length == 2 && c == '\xc2' && static_cast<unsigned char>(text[1]) < 0xa0) {
      std::array<char, 8> escape;  // the C1 controls, which terminals obey too
      std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned char>(text[1]));
      out += escape.data();
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  if (cut) out += "...";
  out += '"';
}

bool is_bare(std::string_view text) {
  if (text.empty() || text.size() > kTextMax) return false;
  for (const char c : text) {
    if (c <= ' ' || c >= 0x7f || c == '"' || c == '=' || c == '\\') return false;
  }
  return true;
}

// Keys are ours; one that comes from elsewhere all the same cannot break the line.
void append_key(std::string& out, std::string_view key) {
  for (const char c : key) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '.' || c == '-';
    out += plain ? c : '_';
  }
}

template <typename T>
void append_number(std::string& out, T number) {
  std::array<char, 32> text;  // the shortest form of a double needs at most 24
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  out.append(text.data(), end);
}

struct AppendValue {
  std::string& out;
  Format format;

  void operator()(std::string_view text) const {
    if (format == Format::logfmt && is_bare(text)) {
      out += text;
    } else {
      append_quoted(out, text);
    }
  }
  void operator()(bool value) const { out += value ? "true" : "false"; }
  void operator()(std::int64_t value) const { append_number(out, value); }
  void operator()(std::uint64_t value) const { append_number(out, value); }
  void operator()(double value) const {
    if (std::isfinite(value)) return append_number(out, value);
    const char* const name = std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
    (*this)(std::string_view(name));  // JSON has no such numbers
  }
};

void append_field(std::string& out, Format format, std::string_view key, const Value& value) {
  if (format == Format::json) {
    out += out.empty() ? "{\"" : ",\"";
    append_key(out, key);
    out += "\":";
  } else {
    if (!out.empty()) out += ' ';
    append_key(out, key);
    out += '=';
  }
  std::visit(AppendValue{out, format}, value.any());
}

}  // namespace

std::atomic<Level> detail::level{Level::info};

std::optional<Level> level_from(std::string_view name) {
  for (std::size_t i = 0; i < kLevels.size(); ++i) {
    if (kLevels[i] == name) return static_cast<Level>(i);
  }
  return std::nullopt;
}

std::optional<Format> format_from(std::string_view name) {
  for (std::size_t i = 0; i < kFormats.size(); ++i) {
    if (kFormats[i] == name) return static_cast<Format>(i);
  }
  return std::nullopt;
}

void set_level(Level level) {
  detail::level = level;
}
void set_format(Format format) {
  current_format = format;
}
void set_output(int fd) {
  output = fd;
}

std::string format_line(Format format, std::int64_t time_us, Level level, std::string_view event,
                        Fields fields) {
  std::string line;
  line.reserve(256);
  append_field(line, format, "time", utc_text(time_us));
  append_field(line, format, "level", kLevels[static_cast<std::size_t>(level)]);
  append_field(line, format, "event", event);
  for (const Field& field : fields) append_field(line, format, field.key, field.value);
  if (format == Format::json) line += '}';
  return line;
}

void detail::write(Level line_level, std::string_view event, Fields fields) {
  const int caller_errno = errno;
  std::string line = format_line(current_format, utc_now(), line_level, event, fields);
  line += '\n';
  // Pipes take lines up to 4 KiB whole; the lock keeps longer ones together.
  static std::mutex writing;
  const std::lock_guard lock(writing);
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t written = ::write(output, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) break;
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  errno = caller_errno;
}

}  // namespace dunlin::log
