#include <signal.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "common/base/ids.h"
#include "common/replication/origin.h"
#include "common/storage/query.h"
#include "common/storage/sqlite.h"
#include "tests/bench/byte_counter.h"
#include "tests/bench/fleet.h"
#include "tests/bench/replicate.h"
#include "tests/support/eventually.h"
#include "tests/support/http_client.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace dunlin::bench {

namespace {

using nlohmann::json;
using test::ChildProcess;

constexpr auto kTimeLimit = std::chrono::minutes(10);
constexpr int kTricklePeriodMs = 100;
constexpr double kSettled = 0.5;  // seconds, after which the end of a backlog is over
constexpr int kLivePeriodMs = 10;
constexpr auto kLiveStreams = {"live_a", "live_b"};

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::uint64_t peak_rss(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string word; file >> word;) {
    if (word == "VmHWM:") {
      std::uint64_t kilobytes = 0;
      file >> kilobytes;
      return kilobytes * 1024;
    }
  }
  return 0;
}

// The time of the first line in a program's log with this event, in seconds since 1970.
std::optional<double> event_time(const std::string& log, const std::string& event) {
  std::ifstream file(log);
  for (std::string line; std::getline(file, line);) {
    if (line.find("\"event\":\"" + event + "\"") == std::string::npos) continue;
    const json parsed = json::parse(line, nullptr, false);
    if (parsed.is_discarded()) continue;
    std::tm utc{};
    const std::string time = parsed.value("time", "");
    const char* rest = ::strptime(time.c_str(), "%Y-%m-%dT%H:%M:%S", &utc);
    if (rest == nullptr) continue;
    return static_cast<double>(::timegm(&utc)) + std::strtod(rest, nullptr);
  }
  return std::nullopt;
}

class DunlinRun {
 public:
  explicit DunlinRun(const ReplicateOptions& options) : options_(options) {}

  Result<Figures> run() {
    DUNLIN_ASSIGN(fleet_, start_fleet(options_.tls));
    for (const std::string name : {"agent", "gateway"}) {
      DUNLIN_ASSIGN(const std::string bundle,
                    fleet_->admit({.name = name, .gateway = name == "gateway"}));
      if (!bundle.empty()) bundles_[name] = "bundle = \"" + bundle + "\"\n";
    }
    DUNLIN_ASSIGN(wire_, ByteCounter::start(broker().port()));
    http_port_ = test::free_port();
    switch (options_.mode) {
      case Mode::online:
        DUNLIN_TRY(online());
        break;
      case Mode::backlog:
        DUNLIN_TRY(backlog());
        break;
      case Mode::trickle:
        DUNLIN_TRY(trickle());
        break;
      case Mode::hostile:
        DUNLIN_TRY(hostile());
        break;
    }
    DUNLIN_TRY(finish());
    return figures_;
  }

 private:
  void add(const std::string& name, double value, const std::string& unit,
           std::optional<double> bound = {}, bool higher = false, const std::string& side = {}) {
    figures_.push_back(
        {name, value, unit, "dunlin", to_string(options_.mode) + (options_.tls ? "_tls" : ""),
         batch(),
         options_.data.empty() ? "greenhouse" : std::filesystem::path(options_.data).filename(),
         side, bound, higher});
  }
  test::Mosquitto& broker() { return fleet_->broker(); }
  std::uint64_t batch() const { return options_.mode == Mode::trickle ? 1 : options_.batch; }

  std::string input() const {
    if (!options_.data.empty()) {
      std::string text = "[[input]]\ntype = \"csv\"\nfile = \"" + options_.data +
                         "\"\nspeed = 0\nstream = \"readings\"\n";
      if (!options_.time.empty()) text += "time = \"" + options_.time + "\"\n";
      if (!options_.columns.empty()) text += "[input.columns]\n";
      for (const std::string& column : options_.columns) text += column + " = \"" + column + "\"\n";
      return text;
    }
    std::string text =
        "[[input]]\ntype = \"model\"\nstream = \"greenhouse_model\"\nseed = 1\nreadings = " +
        std::to_string(options_.readings) + "\n";
    if (options_.mode == Mode::trickle) {
      return text + "speed = 1\nperiod = \"" + std::to_string(kTricklePeriodMs) + "ms\"\n";
    }
    return text + "speed = 0\nbatch = 500\n";
  }

  std::string config(const std::string& name, std::uint16_t broker_port,
                     const std::string& more) const {
    return folder_.write(
        name + ".toml",
        "[node]\nname = \"" + name + "\"\ndata_dir = \"" + folder_.file(name) + "\"\n" +
            (options_.tls ? bundles_.at(name) : "") + "[broker]\nurl = \"mqtt" +
            (options_.tls ? "s" : "") + "://127.0.0.1:" + std::to_string(broker_port) + "\"\n" +
            "[storage]\nmax_bytes = 0\n[log]\nformat = \"json\"\n" + "level = \"" +
            (options_.mode == Mode::trickle || options_.live_seconds > 0 ? "debug" : "info") +
            "\"\n" + more);
  }
  std::string track() const {
    return "[[track]]\nname = \"samples\"\nflush_readings = " + std::to_string(batch()) +
           "\nflush_interval = \"200ms\"\n";
  }

  std::string live() const {
    if (options_.live_seconds == 0) return {};
    std::string text = "[[track]]\nname = \"live\"\nflush_readings = 1\n";
    for (const std::string stream : kLiveStreams) {
      text += "[[stream]]\nname = \"" + stream + "\"\ntrack = \"live\"\n" +
              "[[input]]\ntype = \"model\"\nstream = \"" + stream + "\"\nspeed = 1\nperiod = \"" +
              std::to_string(kLivePeriodMs) +
              "ms\"\nreadings = " + std::to_string(options_.live_seconds * 1000 / kLivePeriodMs) +
              "\n";
    }
    return text;
  }

  Result<ChildProcess> start(const std::string& program, const std::string& config,
                             const std::string& log) {
    return ChildProcess::start({.program = options_.programs + "/" + program,
                                .args = {"run", "--config", config},
                                .output_file = folder_.file(log)});
  }
  Result<void> start_gateway() {
    const std::string http = "[http]\nlisten = \"127.0.0.1:" + std::to_string(http_port_) + "\"\n";
    DUNLIN_ASSIGN(gateway_,
                  start("dunlin-gateway", config("gateway", broker().port(), http), "gateway.log"));
    const bool ready = test::eventually([&] {
      const auto reply = test::http_get(http_port_, "/readyz");
      return reply.ok() && reply->status == 200;
    });
    if (!ready) return {Errc::timeout, "the gateway does not get ready"};
    return {};
  }

  double gateway_metric(const std::string& name) const {
    const auto reply = test::http_get(http_port_, "/metrics");
    const std::size_t at = reply.ok() ? reply->body.find("\n" + name + " ") : std::string::npos;
    if (at == std::string::npos) return -1;
    return std::strtod(reply->body.c_str() + at + name.size() + 2, nullptr);
  }

  struct Progress {
    Seq head = 0;
    Seq complete = 0;
  };
  Progress progress() const {
    const auto reply = test::http_get(http_port_, "/v1/nodes");
    if (!reply.ok()) return {};
    const json nodes = json::parse(reply->body, nullptr, false);
    for (const json& node : nodes.value("nodes", json::array())) {
      if (node["role"] != "agent") continue;
      for (const json& log : node["logs"]) {
        if (log["track"] == 1) return {log["head"], log["complete"]};
      }
    }
    return {};
  }

  // Entries of the samples track that the agent has on its disk.
  std::int64_t agent_entries() const {
    Result<storage::Connection> db =
        storage::Connection::open(folder_.file("agent") + "/log.db", SQLITE_OPEN_READONLY);
    if (!db.ok()) return 0;
    const auto last = db->query_integer(
        "SELECT ifnull(max(last), 0) FROM segments WHERE log IN (SELECT id FROM logs WHERE track = "
        "1)");
    return last.ok() ? *last : 0;
  }
  std::int64_t readings_in(const std::string& name) const {
    Result<storage::Connection> db =
        storage::Connection::open(folder_.file(name) + "/log.db", SQLITE_OPEN_READONLY);
    if (!db.ok()) return 0;
    const auto sum = db->query_integer("SELECT ifnull(sum(readings), 0) FROM segments");
    return sum.ok() ? *sum : 0;
  }

  // Waits until the gateway has everything; the time when it did.
  Result<double> wait_durable(Seq entries) {
    double at = 0;
    const bool done = test::eventually(
        [&] {
          const Progress now = progress();
          at = now_seconds();
          return now.complete >= entries;
        },
        kTimeLimit);
    if (!done) return {Errc::timeout, "the gateway did not get everything"};
    return at;
  }

  Result<double> wait_event(const std::string& log, const std::string& event) {
    std::optional<double> at;
    test::eventually([&] { return (at = event_time(folder_.file(log), event)).has_value(); },
                     kTimeLimit);
    if (!at) return {Errc::timeout, log + " never says " + event};
    return *at;
  }

  Result<void> online() {
    DUNLIN_TRY(start_gateway());
    const std::string file = config("agent", wire_->port(), track() + input());
    DUNLIN_ASSIGN(agent_, start("dunlin-agent", file, "agent.log"));
    DUNLIN_ASSIGN(const double started, wait_event("agent.log", "started"));
    DUNLIN_TRY(wait_event("agent.log", "input_ended"));
    const auto readings = static_cast<std::int64_t>(options_.readings);
    if (options_.data.empty() &&
        !test::eventually([&] { return readings_in("agent") == readings; })) {
      return {Errc::timeout, "the agent does not write everything"};
    }
    DUNLIN_ASSIGN(const double durable, wait_durable(static_cast<Seq>(agent_entries())));
    report_duration(durable - started);
    return {};
  }

  Result<void> backlog() {
    {
      const std::string alone = config("agent", test::free_port(), track() + input());
      DUNLIN_ASSIGN(ChildProcess writer, start("dunlin-agent", alone, "writer.log"));
      DUNLIN_TRY(wait_event("writer.log", "input_ended"));
      add("peak_rss_bytes", static_cast<double>(peak_rss(writer.pid())), "B", 12e6, false,
          "agent offline");
      writer.kill(SIGTERM);
      if (!writer.wait(std::chrono::seconds(30))) return {Errc::timeout, "the agent does not stop"};
    }
    DUNLIN_TRY(start_gateway());
    const std::string file = config("agent", wire_->port(), track() + live());
    const auto entries = static_cast<Seq>(agent_entries());
    DUNLIN_ASSIGN(agent_, start("dunlin-agent", file, "agent.log"));
    double newest = 0;
    test::eventually(
        [&] {
          const bool visible = progress().head >= entries;
          newest = now_seconds();
          return visible;
        },
        kTimeLimit);
    DUNLIN_ASSIGN(const double durable, wait_durable(entries));
    DUNLIN_ASSIGN(const double connected, wait_event("agent.log", "broker_connected"));
    add("newest_visible_seconds", std::max(0.0, newest - connected), "s", 0.1);
    report_duration(durable - connected);
    if (options_.live_seconds > 0) return report_live(connected, durable);
    add("signature_checks_per_1000_entries",
        gateway_metric("dunlin_signatures_verified_total") * 1000 / static_cast<double>(entries),
        "1", 1.0);
    return {};
  }

  Result<void> trickle() {
    DUNLIN_TRY(start_gateway());
    const std::string file = config("agent", wire_->port(), track() + input());
    DUNLIN_ASSIGN(agent_, start("dunlin-agent", file, "agent.log"));
    DUNLIN_TRY(wait_durable(options_.readings));
    DUNLIN_ASSIGN(const std::vector<Latency> measured, latencies("samples", {"greenhouse_model"}));
    std::vector<double> latencies = between(measured, 0, now_seconds());
    if (latencies.empty()) return {Errc::not_found, "the gateway tells of no reading"};
    add("latency_p50", percentile(latencies, 50), "ms");
    add("latency_p99", percentile(latencies, 99), "ms");
    return {};
  }

  // The latency of an honest agent while a hostile member sends as much as it can, against before.
  Result<void> hostile() {
    DUNLIN_TRY(start_gateway());
    DUNLIN_ASSIGN(agent_,
                  start("dunlin-agent", config("agent", wire_->port(), live()), "agent.log"));
    DUNLIN_ASSIGN(const double connected, wait_event("agent.log", "broker_connected"));
    const double half = static_cast<double>(options_.live_seconds) / 2;
    std::this_thread::sleep_for(std::chrono::duration<double>(half));
    std::vector<std::string> args{
        "flood",        "--port",    std::to_string(broker().port()),       "--gateway",
        gateway_node(), "--seconds", std::to_string(static_cast<int>(half))};
    DUNLIN_ASSIGN(const std::string bundle, fleet_->admit({.name = "hostile"}));
    if (!bundle.empty()) args.insert(args.end(), {"--bundle", bundle});
    const double begun = now_seconds();
    DUNLIN_ASSIGN(ChildProcess flood,
                  ChildProcess::start({.program = options_.self,
                                       .args = std::move(args),
                                       .output_file = folder_.file("flood.log")}));
    if (!flood.wait(std::chrono::seconds(120))) return {Errc::timeout, "the flood does not end"};
    const double ended = now_seconds();
    DUNLIN_TRY(wait_event("agent.log", "input_ended"));
    const auto expected = static_cast<std::int64_t>(kLiveStreams.size() * options_.live_seconds *
                                                    1000 / kLivePeriodMs);
    if (!test::eventually([&] { return readings_in("gateway") >= expected; }, kTimeLimit))
      return {Errc::timeout, "the gateway does not get the live readings"};
    DUNLIN_ASSIGN(const std::vector<Latency> all, latencies("live", kLiveStreams));
    std::vector<double> calm = between(all, connected + kSettled, begun);
    std::vector<double> meanwhile = between(all, begun, ended);  // from its first moment
    if (meanwhile.empty() || calm.empty()) return {Errc::not_found, "too few live readings"};
    std::ifstream file(folder_.file("flood.log"));
    const json sent = json::parse(file, nullptr, false);
    if (!sent.is_object()) return {Errc::io, "the flood told nothing"};
    add("flood_messages_per_second", sent["messages"].get<double>() / (ended - begun), "1/s");
    add("flood_bytes_per_second", sent["bytes"].get<double>() / (ended - begun), "B/s");
    for (const double p : {50.0, 99.0}) {
      const std::string name = "latency_p" + std::to_string(static_cast<int>(p));
      const double before = percentile(calm, p), under = percentile(meanwhile, p);
      add(name + "_calm", before, "ms");
      add(name + "_flooded", under, "ms");
      add(name + "_flooded_ratio", under / before, "1", 2.0);
    }
    add("latency_max_flooded", percentile(meanwhile, 100), "ms");
    return {};
  }

  std::string gateway_node() const {
    const auto reply = test::http_get(http_port_, "/v1/nodes");
    const json nodes = reply.ok() ? json::parse(reply->body, nullptr, false) : json();
    for (const json& node : nodes.value("nodes", json::array())) {
      if (node["role"] == "gateway") return node["node"];
    }
    return {};
  }

  struct Latency {
    double at = 0;  // seconds since 1970
    double milliseconds = 0;
  };
  static std::vector<double> between(const std::vector<Latency>& all, double begin, double end) {
    std::vector<double> out;
    for (const Latency& latency : all) {
      if (latency.at >= begin && latency.at < end) out.push_back(latency.milliseconds);
    }
    return out;
  }

  // A reading's own time is that of its append; the gateway's debug log tells when it was durable.
  Result<std::vector<Latency>> latencies(const std::string& track,
                                         std::initializer_list<const char*> streams) const {
    const std::string log_end = "/" + std::to_string(replication::track_of(track).value);
    std::map<std::int64_t, std::int64_t> durable_us;  // by the last entry of what became it
    std::ifstream file(folder_.file("gateway.log"));
    for (std::string line; std::getline(file, line);) {
      const json event = json::parse(line, nullptr, false);
      if (!event.is_object() || event.value("event", "") != "replicated") continue;
      if (event.value("log", "").ends_with(log_end))
        durable_us[event["last"]] = event["durable_us"];
    }
    DUNLIN_ASSIGN(storage::Reader reader, storage::Reader::open(folder_.file("agent") + "/log.db"));
    std::vector<Latency> out;
    for (const std::string stream : streams) {
      DUNLIN_ASSIGN(
          const storage::Table table,
          reader.query("SELECT seq, time FROM stream_" + stream, {}, {.rows_max = 1'000'000}));
      for (const auto& row : table.rows) {
        const auto time_us = std::get<std::int64_t>(row[1]);
        const auto at = durable_us.lower_bound(std::get<std::int64_t>(row[0]));
        if (at == durable_us.end()) continue;
        out.push_back({static_cast<double>(time_us) * 1e-6,
                       static_cast<double>(at->second - time_us) * 1e-3});
      }
    }
    return out;
  }

  // Of the live readings between `connected` and `durable`, when the backlog was fetched, and of
  // those that came later.
  Result<void> report_live(double connected, double durable) {
    const auto expected = static_cast<std::int64_t>(
        options_.readings + kLiveStreams.size() * options_.live_seconds * 1000 / kLivePeriodMs);
    if (!test::eventually([&] { return readings_in("gateway") >= expected; }, kTimeLimit))
      return {Errc::timeout, "the gateway does not get the live readings"};
    DUNLIN_ASSIGN(const std::vector<Latency> all, latencies("live", kLiveStreams));
    std::vector<double> meanwhile = between(all, connected, durable);
    std::vector<double> steady = between(all, durable + kSettled, now_seconds());
    if (meanwhile.empty() || steady.empty())
      return {Errc::not_found, "too few live readings: --live should outlast the backlog"};
    const double p99 = percentile(meanwhile, 99), steady_p99 = percentile(steady, 99);
    add("live_readings_during_backfill", static_cast<double>(meanwhile.size()), "1", {}, true);
    add("latency_p50_during_backfill", percentile(meanwhile, 50), "ms");
    add("latency_p99_during_backfill", p99, "ms");
    add("latency_p50_steady", percentile(steady, 50), "ms");
    add("latency_p99_steady", steady_p99, "ms");
    add("latency_p99_during_backfill_ratio", p99 / steady_p99, "1", 2.0);
    return {};
  }

  void report_duration(double seconds) {
    readings_ = readings_in("agent");
    add("seconds_until_durable", seconds, "s");
    const bool catch_up = options_.mode == Mode::backlog;
    add("readings_per_second", static_cast<double>(readings_) / seconds, "1/s",
        catch_up ? std::optional(500'000.0) : std::nullopt, true);
  }

  Result<void> finish() {
    readings_ = readings_in("agent");
    const std::int64_t at_gateway = readings_in("gateway");
    // Segments that were fetched again may overlap, and their readings count twice here.
    add("lost_readings", static_cast<double>(std::max<std::int64_t>(0, readings_ - at_gateway)),
        "1", 0.0);
    add("peak_rss_bytes", static_cast<double>(peak_rss(agent_.pid())), "B", 12e6, false, "agent");
    add("peak_rss_bytes", static_cast<double>(peak_rss(gateway_.pid())), "B", {}, false, "gateway");
    const double per_reading = 1.0 / static_cast<double>(std::max<std::int64_t>(1, readings_));
    std::optional<double> wire_bound;
    const bool bounded = options_.mode != Mode::trickle && batch() >= 100 && options_.data.empty();
    if (bounded) wire_bound = batch() >= 1000 ? 5.0 : 8.0;
    add("wire_bytes_per_reading", static_cast<double>(wire_->bytes()) * per_reading, "B",
        wire_bound);
    agent_.kill(SIGTERM);
    gateway_.kill(SIGTERM);
    if (!agent_.wait(std::chrono::seconds(30)) || !gateway_.wait(std::chrono::seconds(30))) {
      return {Errc::timeout, "a program does not stop"};
    }
    const std::optional<double> disk_bound = bounded ? std::optional(6.0) : std::nullopt;
    for (const std::string side : {"agent", "gateway"}) {
      DUNLIN_ASSIGN(const std::uint64_t bytes, checkpointed_bytes(folder_.file(side) + "/log.db"));
      add("disk_bytes_per_reading", static_cast<double>(bytes) * per_reading, "B", disk_bound,
          false, side);
    }
    return {};
  }

  static Result<std::uint64_t> checkpointed_bytes(const std::string& path) {
    {
      DUNLIN_ASSIGN(storage::Connection db, storage::Connection::open(path, SQLITE_OPEN_READWRITE));
      DUNLIN_TRY(db.query_integer("PRAGMA wal_checkpoint(TRUNCATE)"));
    }
    std::uint64_t bytes = 0;
    std::error_code ignored;
    for (const char* suffix : {"", "-wal"}) {
      const auto size = std::filesystem::file_size(path + suffix, ignored);
      if (!ignored) bytes += size;
    }
    return bytes;
  }

  const ReplicateOptions& options_;
  Figures figures_;
  test::TempDir folder_;
  std::unique_ptr<test::Fleet> fleet_;
  std::map<std::string, std::string> bundles_;  // by name, as a line of a configuration
  std::unique_ptr<ByteCounter> wire_;
  std::uint16_t http_port_ = 0;
  ChildProcess agent_;
  ChildProcess gateway_;
  std::int64_t readings_ = 0;
};

}  // namespace

Result<Figures> run_dunlin(const ReplicateOptions& options) {
  return DunlinRun(options).run();
}

}  // namespace dunlin::bench
