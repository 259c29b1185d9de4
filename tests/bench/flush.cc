#include "tests/bench/flush.h"

#include <algorithm>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "agent/inputs/greenhouse.h"
#include "common/log/limits.h"
#include "common/log/log_id.h"
#include "common/storage/sqlite.h"
#include "tests/bench/byte_counter.h"
#include "tests/bench/fleet.h"
#include "tests/support/eventually.h"
#include "tests/support/fleet.h"

namespace dunlin::bench {

namespace {

using agent::Greenhouse;
using std::chrono::milliseconds;

constexpr std::uint64_t kFresh = 48;  // flushes that compaction leaves alone for now
constexpr milliseconds kSettled{1500};

// A greenhouse that speaks JSON lines.
class Sensor {
 public:
  explicit Sensor(Shape shape)
      : constant_(shape == Shape::idle),
        model_({.period_us = shape == Shape::burst ? 10'000 : 1'000'000}) {}

  static std::string input() {
    std::string text = "[[input]]\ntype = \"stdin\"\nstream = \"greenhouse\"\n[input.fields]\n";
    for (const Field& field : Greenhouse::schema().fields) {
      text += field.name + " = \"" + field.name + ":decimal(" + std::to_string(field.decimals) +
              "):" + field.unit + "\"\n";
    }
    return text;
  }

  std::string lines(std::uint64_t readings) {
    const std::vector<Field> fields = Greenhouse::schema().fields;
    Rows rows(fields.size());
    model_.next(readings, rows);
    if (first_.empty()) first_.add_row(rows, 0);
    std::string text;
    for (std::size_t row = 0; row < rows.size(); ++row) {
      text += "{\"time\":" + std::to_string(rows.time(row));
      for (std::size_t i = 0; i < fields.size(); ++i) {
        const Cell& cell = constant_ ? first_.cell(0, i) : rows.cell(row, i);
        text += ",\"" + fields[i].name + "\":" + std::to_string(cell.integer) + "e-" +
                std::to_string(fields[i].decimals);
      }
      text += "}\n";
    }
    return text;
  }

 private:
  const bool constant_;
  Greenhouse model_;
  Rows first_ = Rows(Greenhouse::schema().fields.size());
};

// An agent with a gateway and a broker of its own.
class Pair {
 public:
  Result<void> start(std::uint64_t readings_per_flush, bool tls) {
    DUNLIN_ASSIGN(fleet_, start_fleet(tls));
    DUNLIN_ASSIGN(wire_, ByteCounter::start(fleet_->broker().port()));
    gateway_ = &fleet_->add_gateway({.storage_keys = "max_bytes = 0\n"});
    agent_ = &fleet_->add_agent(
        "agent", {.broker_url = (tls ? "mqtts://127.0.0.1:" : "mqtt://127.0.0.1:") +
                                std::to_string(wire_->port()),
                  .storage_keys = "max_bytes = 0\n",
                  .track_keys = "flush_readings = " + std::to_string(readings_per_flush) +
                                "\nflush_bytes = \"46KiB\"\nflush_interval = \"1h\"\n",
                  .more = Sensor::input(),
                  .stdin_pipe = true});
    return fleet_->start();
  }

  // Returns once the gateway has it.
  Result<void> flush(const std::string& lines) {
    flushes_ += 1;
    if (!agent_->process().write_stdin(lines)) return {Errc::io, "the agent does not read"};
    if (test::eventually([&] { return held() >= flushes_; })) return {};
    return {Errc::timeout, "the gateway does not get flush " + std::to_string(flushes_)};
  }
  // Waits until compaction rests; there must be as many entries as flushes.
  Result<void> settle() {
    std::pair<double, double> before{-1, -1};
    bool rests = false;
    for (int i = 0; i < 40 && !rests; ++i) {
      const std::pair now{number(*agent_, "SELECT count(*) FROM segments"),
                          number(*gateway_, "SELECT count(*) FROM segments")};
      rests = std::exchange(before, now) == now;
      if (!rests) std::this_thread::sleep_for(kSettled);
    }
    if (!rests) return {Errc::timeout, "compaction does not rest"};
    if (held() == flushes_) return {};
    return {Errc::malformed, std::to_string(held()) + " entries of " + std::to_string(flushes_)};
  }

  const test::Member& agent() const { return *agent_; }
  const test::Member& gateway() const { return *gateway_; }
  std::uint64_t wire() const { return wire_->bytes(); }
  std::uint64_t sent() const { return wire_->bytes_to_target(); }
  // What the agent has caused to be sent to the device.
  std::uint64_t written() {
    std::ifstream file("/proc/" + std::to_string(agent_->process().pid()) + "/io");
    std::uint64_t bytes = 0;
    for (std::string word; file >> word;) {
      if (word == "write_bytes:") file >> bytes;
    }
    return bytes;
  }

  // The agent's memory now.
  std::uint64_t resident() {
    std::ifstream file("/proc/" + std::to_string(agent_->process().pid()) + "/status");
    std::uint64_t kilobytes = 0;
    for (std::string word; file >> word;) {
      if (word == "VmRSS:") file >> kilobytes;
    }
    return kilobytes * 1024;
  }

  static double number(const test::Member& member, const std::string& query) {
    Result<storage::Connection> db =
        storage::Connection::open(member.database(), SQLITE_OPEN_READONLY);
    if (!db.ok()) return 0;
    const auto value = db->query_integer(query);
    return value.ok() ? static_cast<double>(*value) : 0;
  }
  static double segment_bytes(const test::Member& member) {
    return number(member, "SELECT ifnull(sum(length(body)), 0) FROM segments WHERE readings > 0");
  }
  static double used_bytes(const test::Member& member) {
    return (number(member, "PRAGMA page_count") - number(member, "PRAGMA freelist_count")) *
           number(member, "PRAGMA page_size");
  }

 private:
  Seq held() const {
    for (const auto& node : gateway_->get_json("/v1/nodes").value("nodes", nlohmann::json())) {
      if (node.value("role", "") != "agent") continue;
      for (const auto& log : node["logs"]) {
        if (log["track"] == kSamplesTrack.value) return log["complete"];
      }
    }
    return 0;
  }

  std::unique_ptr<test::Fleet> fleet_;
  std::unique_ptr<ByteCounter> wire_;
  test::Member* gateway_ = nullptr;
  test::Member* agent_ = nullptr;
  Seq flushes_ = 0;
};

std::string to_string(Shape shape) {
  return shape == Shape::steady ? "greenhouse" : shape == Shape::idle ? "constant" : "burst";
}

Result<void> measure(const FlushOptions& options, std::uint64_t interval,
                     std::vector<Figure>& figures) {
  const std::uint64_t rate = options.shape == Shape::burst ? 100 : 1;
  const std::uint64_t batch = std::min<std::uint64_t>(interval * rate, kEntryReadingsMax);
  Figure common{.system = "dunlin",
                .mode = "flush_" + std::to_string(interval) + "s" + (options.tls ? "_tls" : ""),
                .batch = batch,
                .dataset = to_string(options.shape)};
  const auto add = [&](const std::string& name, double value, const std::string& unit,
                       const std::string& side, std::optional<double> bound = {}) {
    Figure figure = common;
    figure.figure = name, figure.value = value, figure.unit = unit;
    figure.side = side, figure.bound = bound;
    figures.push_back(std::move(figure));
  };
  Pair pair;
  DUNLIN_TRY(pair.start(batch, options.tls));
  Sensor sensor(options.shape);
  DUNLIN_TRY(pair.flush(sensor.lines(batch)));  // opens logs and defines the stream
  const std::uint64_t wire = pair.wire(), sent = pair.sent(), written = pair.written();
  const double empty[] = {Pair::used_bytes(pair.agent()), Pair::used_bytes(pair.gateway())};
  const auto readings = static_cast<double>(options.flushes * batch);
  const auto flushes = static_cast<double>(options.flushes);
  double fresh = 0;
  for (std::uint64_t i = 1; i <= options.flushes; ++i) {
    DUNLIN_TRY(pair.flush(sensor.lines(batch)));
    if (i == std::min(kFresh, options.flushes)) {
      fresh = Pair::segment_bytes(pair.agent()) / static_cast<double>((i + 1) * batch);
    }
  }
  const auto on_wire = static_cast<double>(pair.wire() - wire);
  const auto on_wire_sent = static_cast<double>(pair.sent() - sent);
  const auto resident = static_cast<double>(pair.resident());
  DUNLIN_TRY(pair.settle());
  const auto on_disk = static_cast<double>(pair.written() - written);
  const bool bounded = batch == 200 && options.shape == Shape::steady;
  add("wire_bytes_per_reading", on_wire / readings, "B", "",
      bounded ? std::optional(8.0) : std::nullopt);
  add("wire_bytes_per_flush", on_wire / flushes, "B", "");
  add("sent_bytes_per_flush", on_wire_sent / flushes, "B", "agent");
  add("flushed_bytes_per_reading", fresh, "B", "agent");
  int side = 0;
  for (const test::Member* member : {&pair.agent(), &pair.gateway()}) {
    add("merged_bytes_per_reading",
        Pair::segment_bytes(*member) / (readings + static_cast<double>(batch)), "B",
        member->name());
    add("disk_bytes_per_reading", (Pair::used_bytes(*member) - empty[side++]) / readings, "B",
        member->name());
  }
  add("written_bytes_per_reading", on_disk / readings, "B", "agent");
  add("written_bytes_per_flush", on_disk / flushes, "B", "agent");
  add("rss_bytes", resident, "B", "agent");
  add("write_amplification", on_disk / readings / fresh, "1", "agent");
  return {};
}

// A flush of one reading less what one more reading adds to a flush.
void add_fixed_cost(std::vector<Figure>& figures) {
  std::vector<Figure> costs;
  for (const Figure& figure : figures) {
    if (figure.figure == "wire_bytes_per_flush") costs.push_back(figure);
  }
  const auto by_batch = [](const Figure& a, const Figure& b) { return a.batch < b.batch; };
  std::sort(costs.begin(), costs.end(), by_batch);
  if (costs.size() < 2 || costs.front().batch != 1) return;
  const Figure &one = costs[0], &more = costs[1];
  const double marginal = (more.value - one.value) / static_cast<double>(more.batch - 1);
  Figure figure = one;
  figure.figure = "flush_fixed_bytes";
  figure.value = one.value - marginal;
  figure.bound = 320.0;
  figures.push_back(std::move(figure));
}

}  // namespace

Result<std::vector<Figure>> run_flush(const FlushOptions& options) {
  std::vector<Figure> figures;
  for (const std::uint64_t interval : options.intervals)
    DUNLIN_TRY(measure(options, interval, figures));
  add_fixed_cost(figures);
  return figures;
}

Result<std::vector<Figure>> run_quiet(std::chrono::seconds time, bool tls) {
  Pair pair;
  DUNLIN_TRY(pair.start(1, tls));
  DUNLIN_TRY(pair.flush(Sensor(Shape::steady).lines(1)));
  const std::uint64_t wire = pair.wire(), written = pair.written();
  std::this_thread::sleep_for(time / 2);
  const std::uint64_t wire_half = pair.wire(), written_half = pair.written();
  std::this_thread::sleep_for(time / 2);
  const double per_hour = 3600.0 / (static_cast<double>(time.count()) / 2);
  std::vector<Figure> figures;
  const auto add = [&](const std::string& name, std::uint64_t value, double factor) {
    figures.push_back({.figure = name,
                       .value = static_cast<double>(value) * factor,
                       .unit = "B",
                       .system = "dunlin",
                       .mode = tls ? "quiet_tls" : "quiet"});
  };
  add("wire_bytes_in_all", pair.wire() - wire, 1);
  add("wire_bytes_per_hour", pair.wire() - wire_half, per_hour);
  add("written_bytes_in_all", pair.written() - written, 1);
  add("written_bytes_per_hour", pair.written() - written_half, per_hour);
  return figures;
}

}  // namespace dunlin::bench
