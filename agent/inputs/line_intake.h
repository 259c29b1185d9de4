#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "agent/inputs/input.h"
#include "agent/inputs/json_reader.h"
#include "agent/inputs/streams.h"

namespace dunlin::agent {

inline constexpr std::size_t kLineBytesMax = 64 * 1024;

// What lines mean: line protocol, or JSON with its mapping.
struct LineProtocolFormat {
  TimeUnit precision = TimeUnit::nanos;
};
struct JsonLinesFormat {
  JsonReader reader;
  std::string stream;  // of lines that do not name their own
};
using LineFormat = std::variant<LineProtocolFormat, JsonLinesFormat>;

// The `precision` key of line protocol: ns (default), us, ms or s.
LineProtocolFormat line_protocol_format(config::Table& table);

// Turns lines into readings of self-defining streams. One thread.
class LineIntake {
 public:
  LineIntake(LineFormat format, InputSink& sink) : format_(std::move(format)), sink_(sink) {}

  // Malformed lines are reported as "place:number"; only `closed` is returned.
  Result<void> take(const std::string& place, std::uint64_t number, Result<std::string_view> line);
  Result<void> flush() { return streams_.flush(sink_); }

 private:
  Result<bool> parse(std::string_view line);

  LineFormat format_;
  InputSink& sink_;
  SelfDefiningStreams streams_;
  Reading reading_;
};

}  // namespace dunlin::agent
