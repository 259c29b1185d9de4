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

// What lines mean: line protocol, JSON with its mapping, or the numbers of one field.
struct LineProtocolFormat {
  TimeUnit precision = TimeUnit::nanos;
};
struct JsonLinesFormat {
  JsonReader reader;
  std::string stream;  // of lines that do not name their own
};
struct NumberLinesFormat {
  Field field;
  std::string stream;
};
using LineFormat = std::variant<LineProtocolFormat, JsonLinesFormat, NumberLinesFormat>;

// The format of an [[input]] that takes lines:
//
//   format     "json" (default), "line_protocol" or "number"
//   json:           stream and the keys of json_reader.h, `time` being "time" by default. A line is
//                   a flat object, or {"stream":"x","time":...,"fields":{...}}
//   line_protocol:  precision of timestamps: ns (default), us, ms or s
//   number:         stream and field, "temperature:decimal(2):Cel"; "value:double" by default. A
//                   line is its value, and "NaN" and the like are missing
//
// Mistakes go to the table.
LineFormat line_format(config::Table& table, const std::string& stream_default);

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
