#include "tests/bench/pipe/message.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

namespace dunlin::bench {
namespace {

constexpr std::array<std::string_view, 4> kKeys = {R"(,"temperature":)", R"(,"humidity":)",
                                                   R"(,"light":)", R"(,"battery":)"};
constexpr std::size_t kReadingBytesMax = 256;  // four doubles of 24, two integers of 20, the keys

// Writes into room that was made before.
struct Writer {
  char* at;

  void text(std::string_view text) {
    std::memcpy(at, text.data(), text.size());
    at += text.size();
  }
  void integer(std::int64_t value) { at = std::to_chars(at, at + 24, value).ptr; }

  // Up to three decimals without trailing zeros; `thousandths` is not negative.
  void decimals(int thousandths) {
    if (thousandths == 0) return;
    *at++ = '.';
    for (int unit = 100; thousandths > 0; unit /= 10) {
      *at++ = static_cast<char>('0' + thousandths / unit);
      thousandths %= unit;
    }
  }

  // Sensors give short decimals: those are written as integers, the rest by the general algorithm.
  void real(double value) {
    const double scaled = value * 1000;
    if (scaled >= 0 && scaled < 1e15) {
      const auto thousandths = static_cast<std::int64_t>(scaled + 0.5);
      if (static_cast<double>(thousandths) / 1000 == value) {
        integer(thousandths / 1000);
        return decimals(static_cast<int>(thousandths % 1000));
      }
    }
    at = std::to_chars(at, at + 32, value).ptr;
  }
};

// Reads from left to right; after the first mistake nothing more is read.
struct Reader {
  const char* at;
  const char* end;
  bool good = true;

  bool skip(std::string_view text) {
    const bool there = static_cast<std::size_t>(end - at) >= text.size() &&
                       std::memcmp(at, text.data(), text.size()) == 0;
    if (there) at += text.size();
    return there;
  }
  void expect(std::string_view text) { good = good && skip(text); }

  template <typename Number>
  Number number() {
    Number value{};
    const auto [rest, error] = std::from_chars(at, end, value);
    good = good && error == std::errc();
    at = rest;
    return value;
  }

  std::int64_t time_us() {
    std::int64_t value = number<std::int64_t>() * 1000;
    if (!skip(".")) return value;
    for (int unit = 100; unit > 0 && at < end && *at >= '0' && *at <= '9'; unit /= 10) {
      value += unit * (*at++ - '0');
    }
    return value;
  }
};

}  // namespace

void encode_message(std::int64_t first, std::span<const Reading> readings, std::string& out) {
  out.resize((readings.size() + 1) * kReadingBytesMax);
  Writer writer{out.data()};
  writer.text(R"({"first":)");
  writer.integer(first);
  writer.text(R"(,"readings":[)");
  for (const Reading& reading : readings) {
    writer.text(R"({"t":)");
    writer.integer(reading.time_us / 1000);
    writer.decimals(static_cast<int>(reading.time_us % 1000));
    for (std::size_t i = 0; i < kKeys.size(); ++i) {
      writer.text(kKeys[i]);
      writer.real(reading.values[i]);
    }
    if (reading.clock_us != 0) {
      writer.text(R"(,"c":)");
      writer.integer(reading.clock_us);
    }
    writer.text("},");
  }
  if (!readings.empty()) --writer.at;  // the last comma
  writer.text("]}");
  out.resize(static_cast<std::size_t>(writer.at - out.data()));
}

Result<std::int64_t> decode_message(std::string_view text, std::vector<Reading>& out) {
  out.clear();
  Reader reader{text.data(), text.data() + text.size()};
  reader.expect(R"({"first":)");
  const auto first = reader.number<std::int64_t>();
  reader.expect(R"(,"readings":[)");
  while (reader.good && reader.skip(out.empty() ? R"({"t":)" : R"(,{"t":)")) {
    Reading& reading = out.emplace_back();
    reading.time_us = reader.time_us();
    for (std::size_t i = 0; i < kKeys.size(); ++i) {
      reader.expect(kKeys[i]);
      reading.values[i] = reader.number<double>();
    }
    if (reader.skip(R"(,"c":)")) reading.clock_us = reader.number<std::int64_t>();
    reader.expect("}");
  }
  reader.expect("]}");
  if (!reader.good || reader.at != reader.end || first < 1) {
    return Error{Errc::malformed, "a message of the pipe"};
  }
  return first;
}

}  // namespace dunlin::bench
