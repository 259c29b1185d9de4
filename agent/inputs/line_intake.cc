#include "agent/inputs/line_intake.h"

#include "agent/inputs/line_protocol.h"

namespace dunlin::agent {

LineProtocolFormat line_protocol_format(config::Table& table) {
  const std::string name = table.choice("precision", "ns", {"ns", "us", "ms", "s"});
  if (name == "us") return {TimeUnit::micros};
  if (name == "ms") return {TimeUnit::millis};
  return {name == "s" ? TimeUnit::seconds : TimeUnit::nanos};
}

Result<bool> LineIntake::parse(std::string_view line) {
  if (const auto* protocol = std::get_if<LineProtocolFormat>(&format_)) {
    return parse_line(line, protocol->precision, reading_);
  }
  const auto& json = std::get<JsonLinesFormat>(format_);
  if (line.find_first_not_of(" \t") == std::string_view::npos) return false;
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
