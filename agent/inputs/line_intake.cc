#include "agent/inputs/line_intake.h"

#include "agent/inputs/field_spec.h"
#include "agent/inputs/line_protocol.h"
#include "agent/inputs/schedule.h"

namespace dunlin::agent {

LineProtocolFormat line_protocol_format(config::Table& table) {
  const std::string name = table.choice("precision", "ns", {"ns", "us", "ms", "s"});
  if (name == "us") return {TimeUnit::micros};
  if (name == "ms") return {TimeUnit::millis};
  return {name == "s" ? TimeUnit::seconds : TimeUnit::nanos};
}

LineFormat line_format(config::Table& table, const std::string& stream_default) {
  const std::string name = table.choice("format", "json", {"json", "line_protocol", "number"});
  if (name == "line_protocol") return line_protocol_format(table);
  std::string stream = stream_key(table, stream_default);
  if (name == "json") return JsonLinesFormat{JsonReader::from(table, "time"), std::move(stream)};
  const Result<FieldSpec> spec = parse_field_spec(table.text("field", "value:double"));
  if (!spec.ok()) table.mistake("field", spec.error().context);
  return NumberLinesFormat{spec.ok() ? spec->field : Field{}, std::move(stream)};
}

Result<bool> LineIntake::parse(std::string_view line) {
  if (const auto* protocol = std::get_if<LineProtocolFormat>(&format_)) {
    return parse_line(line, protocol->precision, reading_);
  }
  const std::size_t first = line.find_first_not_of(" \t");
  if (first == std::string_view::npos) return false;
  if (const auto* number = std::get_if<NumberLinesFormat>(&format_)) {
    reading_.clear();
    reading_.stream = number->stream;
    line = line.substr(first, line.find_last_not_of(" \t") - first + 1);
    DUNLIN_ASSIGN(NamedValue value, named_value(number->field, line));
    reading_.values.push_back(std::move(value));
    return true;
  }
  const auto& json = std::get<JsonLinesFormat>(format_);
  reading_.stream = json.stream;
  DUNLIN_TRY(json.reader.read(line, true, reading_));
  return true;
}

Result<void> LineIntake::take(const std::string& place, std::uint64_t number,
                              Result<std::string_view> line) {
  const auto refuse = [&](const Error& error) {
    sink_.report(place + ":" + std::to_string(number), error);
  };
  if (!line.ok()) {
    refuse(line.error());
    return {};
  }
  const Result<bool> parsed = parse(line.value());
  if (!parsed.ok()) {
    refuse(parsed.error());
    return {};
  }
  if (!parsed.value()) return {};
  Result<void> taken = streams_.add(reading_, sink_.now(), sink_);
  if (taken.ok() || taken.error().code == Errc::closed) return taken;
  refuse(taken.error());
  return {};
}

}  // namespace dunlin::agent
