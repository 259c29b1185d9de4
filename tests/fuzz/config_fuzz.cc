// A configuration of any bytes is read or refused with positions, and so are the inputs in it.
#include "agent/inputs/input.h"
#include "common/config/table.h"
#include "tests/fuzz/fuzz.h"

namespace dunlin::fuzz {

namespace {

void ask_everything(config::Table& root) {
  config::Table node = root.table("node");
  node.required_text("name");
  node.choice("overflow", "drop_oldest", {"drop_oldest", "refuse_new"});
  node.duration("interval", std::chrono::seconds(1));
  node.size("max_bytes", 0);
  node.real("speed", 0, 0, 1000);
  node.integer("flush_readings", 1, 1, 1000);
  node.boolean("header", true);
  root.texts("cells");
  root.table("broker").text_pairs();
  for (config::Table& input : root.tables("input")) {
    // Other kinds read files at once: where those are is not for a fuzzer to say.
    if (input.text("type") != "mqtt") (void)agent::make_input(input);
  }
}

}  // namespace

void take(ByteView input) {
  const config::Environment environment = {{"DUNLIN_NODE__NAME", "a"}, {"NAME", "value"}};
  auto document = config::Document::parse(as_text(input), "fuzz.toml", environment);
  if (!document.ok()) {
    DUNLIN_CHECK(document.error().message().find("fuzz.toml") != std::string::npos);
    return;
  }
  ask_everything(document->root());
  for (const std::string& mistake : document->mistakes()) DUNLIN_CHECK(!mistake.empty());
}

}  // namespace dunlin::fuzz
