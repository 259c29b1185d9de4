// Lines of line protocol become readings that a log can take.
#include "agent/inputs/line_intake.h"
#include "agent/inputs/lines.h"
#include "tests/fuzz/reading_sink.h"

void dunlin::fuzz::take(ByteView input) {
  ReadingSink sink;
  agent::LineIntake intake(agent::LineProtocolFormat{agent::TimeUnit::seconds}, sink);
  agent::LineSplitter lines(4096);
  const auto on_line = [&](std::uint64_t number, Result<std::string_view> line) {
    DUNLIN_CHECK(intake.take("fuzz", number, std::move(line)).ok());
  };
  // In two parts, as a stream may bring it.
  const std::size_t half = input.size() / 2;
  lines.feed(as_text(input.first(half)), on_line);
  lines.feed(as_text(input.subspan(half)), on_line);
  lines.finish(on_line);
  DUNLIN_CHECK(intake.flush().ok());
}
