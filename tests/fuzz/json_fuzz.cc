// JSON lines, mapped and as they come, become readings that a log can take. The first byte says
// which.
#include "agent/inputs/json_reader.h"

#include "agent/inputs/line_intake.h"
#include "agent/inputs/lines.h"
#include "tests/fuzz/reading_sink.h"

namespace dunlin::fuzz {

namespace {

agent::JsonReader reader(std::string_view keys) {
  auto document = config::Document::parse(keys, "fuzz.toml", {});
  DUNLIN_CHECK(document.ok());
  agent::JsonReader made = agent::JsonReader::from(document->root(), "time");
  DUNLIN_CHECK(document->mistakes().empty());
  return made;
}

}  // namespace

void take(ByteView input) {
  static const agent::JsonReader kReaders[] = {
      reader(""),
      reader("time_format = \"unix\"\nignore = [\"a\"]\n[fields]\n"
             "t = \"temperature:decimal(2):Cel\"\n\"b.volts\" = \"battery:decimal(3):V\"\n"
             "\"/AM2301/x\" = \"x:int64\"\nopen = \"open:bool\"\nnote = \"note:text\"\n"
             "d = \"d:double\"\nany = \"any\"\n")};
  if (input.empty()) return;
  ReadingSink sink;
  agent::LineIntake intake(agent::JsonLinesFormat{kReaders[input[0] % 2], "stream"}, sink);
  agent::LineSplitter lines(4096);
  const auto on_line = [&](std::uint64_t number, Result<std::string_view> line) {
    DUNLIN_CHECK(intake.take("fuzz", number, std::move(line)).ok());
  };
  lines.feed(as_text(input.subspan(1)), on_line);
  lines.finish(on_line);
  DUNLIN_CHECK(intake.flush().ok());
}

}  // namespace dunlin::fuzz
