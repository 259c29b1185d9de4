#include <signal.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/bench/byte_counter.h"
#include "tests/bench/fleet.h"
#include "tests/bench/replicate.h"
#include "tests/support/eventually.h"
#include "tests/support/mosquitto.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace dunlin::bench {

namespace {

using nlohmann::json;
using test::ChildProcess;

constexpr auto kTimeLimit = std::chrono::minutes(10);

// The JSON lines that a process has printed so far.
std::vector<json> lines_of(const std::string& path) {
  std::vector<json> out;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    json parsed = json::parse(line, nullptr, false);
    if (parsed.is_object()) out.push_back(std::move(parsed));
  }
  return out;
}

const json* find(const std::vector<json>& lines, const std::string& event) {
  for (const json& line : lines) {
    if (line.value("event", "") == event) return &line;
  }
  return nullptr;
}

}  // namespace

Result<Figures> run_pipe(const ReplicateOptions& options) {
  test::TempDir folder;
  DUNLIN_ASSIGN(const std::unique_ptr<test::Mosquitto> broker, test::Mosquitto::start(kQuiet));
  DUNLIN_ASSIGN(const std::unique_ptr<ByteCounter> wire, ByteCounter::start(broker->port()));
  const std::string readings = std::to_string(options.readings);
  DUNLIN_ASSIGN(
      ChildProcess sink,
      ChildProcess::start({.program = options.self,
                           .args = {"pipe-sink", "--database", folder.file("sink.db"), "--port",
                                    std::to_string(broker->port()), "--readings", readings},
                           .output_file = folder.file("sink.log")}));
  if (!test::eventually(
          [&] { return find(lines_of(folder.file("sink.log")), "connected") != nullptr; })) {
    return {Errc::timeout, "the sink does not connect"};
  }
  DUNLIN_ASSIGN(ChildProcess source,
                ChildProcess::start({.program = options.self,
                                     .args = {"pipe-source", "--database", folder.file("source.db"),
                                              "--port", std::to_string(wire->port()), "--readings",
                                              readings, "--mode", to_string(options.mode)},
                                     .output_file = folder.file("source.log")}));
  if (source.wait(kTimeLimit) != 0 || sink.wait(std::chrono::seconds(30)) != 0) {
    return {Errc::io, "the pipe failed: " + folder.file("source.log")};
  }
  const std::vector<json> from_source = lines_of(folder.file("source.log"));
  const std::vector<json> from_sink = lines_of(folder.file("sink.log"));
  const json* durable = find(from_sink, "durable");
  const json* begin = find(from_source, options.mode == Mode::backlog ? "connected" : "started");
  const json* source_end = find(from_source, "finished");
  const json* sink_end = find(from_sink, "finished");
  if (durable == nullptr || begin == nullptr || source_end == nullptr || sink_end == nullptr) {
    return {Errc::malformed, "the pipe did not say what it did"};
  }
  Figures figures;
  const auto add = [&](const std::string& name, double value, const std::string& unit,
                       bool higher = false, const std::string& side = {}) {
    figures.push_back({name,
                       value,
                       unit,
                       "pipe",
                       to_string(options.mode),
                       options.mode == Mode::trickle ? 1U : 100U,
                       "greenhouse",
                       side,
                       {},
                       higher});
  };
  const double n = static_cast<double>(options.readings);
  if (options.mode == Mode::trickle) {
    std::vector<double> latencies;
    for (const json& line : from_sink) {
      if (line.value("event", "") == "latency")
        latencies.push_back(line.value("latency_us", 0.0) / 1e3);
    }
    if (latencies.empty()) return {Errc::not_found, "the pipe told no latency"};
    add("latency_p50", percentile(latencies, 50), "ms");
    add("latency_p99", percentile(latencies, 99), "ms");
  } else {
    const double seconds = (durable->value("clock_us", 0.0) - begin->value("clock_us", 0.0)) / 1e6;
    if (options.mode == Mode::backlog) add("newest_visible_seconds", seconds, "s");
    add("seconds_until_durable", seconds, "s");
    add("readings_per_second", n / seconds, "1/s", true);
  }
  add("peak_rss_bytes", source_end->value("peak_rss_bytes", 0.0), "B", false, "agent");
  add("peak_rss_bytes", sink_end->value("peak_rss_bytes", 0.0), "B", false, "gateway");
  add("wire_bytes_per_reading", static_cast<double>(wire->bytes()) / n, "B");
  add("disk_bytes_per_reading", source_end->value("database_bytes", 0.0) / n, "B", false, "agent");
  add("disk_bytes_per_reading", sink_end->value("database_bytes", 0.0) / n, "B", false, "gateway");
  return figures;
}

}  // namespace dunlin::bench
