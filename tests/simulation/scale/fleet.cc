#include "tests/simulation/scale/fleet.h"

#include <sys/resource.h>

#include <array>
#include <ctime>

#include "tests/simulation/checkers.h"
#include "tests/simulation/scale/disk_cost.h"
#include "tests/simulation/scale/heap.h"

namespace dunlin::simulation {

namespace {

using namespace replication;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Duration kKeepAlive = seconds(30);  // and a half: then the broker gives a link up
constexpr Duration kConvergesWithin = hours(12);
constexpr int kPoints = 150;
constexpr int kDiskFlushes = 1000, kDiskReadings = 20'000;  // at least

const StreamSchema kSensor{"sensor",
                           {{"temperature", FieldType::decimal, "Cel", 2},
                            {"humidity", FieldType::decimal, "%RH", 1},
                            {"light", FieldType::int64, "lx", 0},
                            {"voltage", FieldType::decimal, "V", 2}}};
using Channels = std::array<std::int64_t, 4>;

double hour_of(Instant at) {
  return std::chrono::duration<double, std::ratio<3600>>(at.time_since_epoch()).count();
}

// Running totals of all agents, or all gateways.
struct Totals {
  FleetTraffic traffic;
  std::map<Stats::TrafficKey, Stats::Traffic> messages;
};
struct Snapshot {
  Instant at{};
  Totals agents, gateways;
};

double number(std::uint64_t value) {
  return static_cast<double>(value);
}

class Fleet {
 public:
  explicit Fleet(const FleetPlan& plan)
      : plan_(plan), cluster_(options_of(plan)), random_(plan.seed ^ 0xf1ee7) {
    out_.plan = plan;
    if (out_.plan.interval == Duration{})
      out_.plan.interval =
          std::max<Duration>(minutes(1), (2 * plan.steady + plan.outage) / kPoints);
    cluster_.watch([this](std::size_t node, const Output& output) { watch(node, output); });
    channels_.resize(plan.agents);
  }

  FleetRun run() {
    const std::clock_t began = std::clock();
    forget_heap_peaks();
    for (std::size_t i = 0; i < plan_.agents; ++i) {
      channels_[i] = {2000 + up_to(500), 500 + up_to(300), up_to(1000), 330};
      // Devices begin some time, so that they do not flush in chorus.
      cluster_.after(Duration(up_to(plan_.flush.count())), [this, i] { sample(i); });
    }
    run_all();
    finish();
    out_.core_seconds = number(static_cast<std::uint64_t>(std::clock() - began)) / CLOCKS_PER_SEC;
    struct rusage usage {};
    ::getrusage(RUSAGE_SELF, &usage);
    out_.rss_bytes = static_cast<double>(usage.ru_maxrss) * 1024;
    return std::move(out_);
  }
  SimStore& store() { return *cluster_.gateway().store(); }

 private:
  static ClusterOptions options_of(const FleetPlan& plan) {
    ClusterOptions options;
    options.seed = plan.seed;
    options.agents = plan.agents;
    options.gateways = plan.gateways;
    options.cell_size = plan.cell_size;
    options.gateways_per_cell = plan.gateways_per_cell;
    options.light = true;
    options.link.loss = plan.loss;
    options.link.keeps_qos1 = true;
    options.origin.tracks.front().flush_interval = plan.flush;
    return options;
  }

  std::int64_t up_to(std::int64_t max) {
    return static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(max) + 1));
  }

  // Each channel wanders a little.
  void sample(std::size_t agent) {
    if (!sampling_) return;
    Channels& channels = channels_[agent];
    for (std::int64_t& value : channels) value += up_to(4) - 2;
    cluster_.node(cluster_.first_agent() + agent).sample(kSensor, channels);
    cluster_.after(plan_.sample, [this, agent] { sample(agent); });
  }

  void watch(std::size_t node, const Output& output) {
    const bool gateway = node < cluster_.first_agent();
    if (const auto* write = std::get_if<Write>(&output); write != nullptr && !gateway) {
      arrivals_.cut(cluster_.now(), *write, plan_.gateways);
    } else if (const auto* replicated = std::get_if<Replicated>(&output);
               replicated != nullptr && gateway) {
      arrivals_.arrived(cluster_.now(), *replicated);
    }
  }

  // ---- the run ----

  void run_all() {
    const Snapshot start = snapshot();
    last_ = start;
    run_until(Instant{} + std::min(3 * plan_.flush, plan_.steady / 2));  // starting is not steady
    const Snapshot steady = snapshot();
    run_until(Instant{} + plan_.steady);
    const Snapshot cut_off = snapshot();
    out_.before = stretch(steady, cut_off);
    if (plan_.outage > Duration{}) go_without_gateways();
    const Snapshot back = snapshot();
    if (plan_.outage > Duration{}) out_.away = stretch(cut_off, back);
    arrivals_.mark();
    const Instant limit = back.at + kConvergesWithin;
    while (arrivals_.marked_missing() > 0 && cluster_.now() < limit)
      run_until(cluster_.now() + seconds(1));
    out_.converged_after = std::chrono::duration<double>(cluster_.now() - back.at).count();
    const Snapshot converged = snapshot();
    out_.catching_up = stretch(back, converged);
    if (plan_.outage > Duration{}) run_until(converged.at + plan_.steady);
    out_.after = stretch(converged, snapshot());
  }

  void go_without_gateways() {
    const Instant back = cluster_.now() + plan_.outage;
    for (std::size_t g = 0; g < plan_.gateways; ++g)
      cluster_.bus().partition(cluster_.node(g).client_id());
    run_until(std::min(back, cluster_.now() + 3 * kKeepAlive / 2));
    for (std::size_t g = 0; g < plan_.gateways; ++g)
      cluster_.bus().break_link(cluster_.node(g).client_id());
    run_until(back);
    for (std::size_t g = 0; g < plan_.gateways; ++g)
      cluster_.bus().heal(cluster_.node(g).client_id());
  }

  // From point to point.
  void run_until(Instant end) {
    while (cluster_.now() < end && cluster_.problems().empty()) {
      const Instant next = last_.at + out_.plan.interval;
      cluster_.run_for(std::min(end, next) - cluster_.now());
      if (cluster_.now() == next) add_point();
    }
  }

  void finish() {
    sampling_ = false;
    cluster_.run_for(plan_.flush + minutes(1));
    const auto all_there = [&] { return converged(cluster_); };
    out_.problems = cluster_.problems();
    if (out_.problems.empty() && !cluster_.run_until(all_there, hours(1)))
      out_.problems.emplace_back("not everything is at the gateways");
    out_.readings = arrivals_.readings();
    out_.segments = arrivals_.segments();
    for (FleetPoint& point : out_.points) {
      const auto end = Instant{} + std::chrono::duration_cast<Duration>(
                                       std::chrono::duration<double, std::ratio<3600>>(point.hour));
      point.lag = arrivals_.lag(end - out_.plan.interval, end);
    }
    for (FleetStretch* each : {&out_.before, &out_.away, &out_.catching_up, &out_.after}) {
      const auto at = [](double hour) {
        return Instant{} + Duration(static_cast<Duration::rep>(hour * 3600e6));
      };
      each->lag = arrivals_.lag(at(each->from), at(each->to));
    }
    out_.agent_memory_peak = memory(cluster_.first_agent(), cluster_.size(), heap_peak);
    out_.gateway_memory_peak = memory(0, cluster_.first_agent(), heap_peak);
    double busy = 0, readings = 0, signatures = 0;
    for (std::size_t g = 0; g < plan_.gateways; ++g) {
      const Stats& stats = cluster_.node(g).replica().stats();
      busy += std::chrono::duration<double, std::micro>(cluster_.node(g).busy()).count();
      readings += number(stats.readings_received);
      signatures += number(stats.signatures_verified);
    }
    out_.gateway_cpu_us_per_reading = busy / std::max(1.0, readings);
    out_.gateway_signatures_per_reading = signatures / std::max(1.0, readings);
  }

  // ---- what is counted ----

  Totals totals(std::size_t first, std::size_t end) {
    Totals sum;
    for (std::size_t i = first; i < end; ++i) {
      const SimNode& node = cluster_.node(i);
      sum.traffic.messages_up += number(node.sent().messages);
      sum.traffic.bytes_up += number(node.sent().bytes);
      sum.traffic.messages_down += number(node.received().messages);
      sum.traffic.bytes_down += number(node.received().bytes);
      for (const auto& [key, traffic] : cluster_.node(i).replica().stats().traffic) {
        sum.messages[key].messages += traffic.messages;
        sum.messages[key].bytes += traffic.bytes;
      }
    }
    return sum;
  }
  Snapshot snapshot() {
    return {cluster_.now(), totals(cluster_.first_agent(), cluster_.size()),
            totals(0, cluster_.first_agent())};
  }

  static FleetTraffic difference(const Totals& from, const Totals& to, double divisor) {
    const auto mean = [&](double FleetTraffic::*field) {
      return (to.traffic.*field - from.traffic.*field) / divisor;
    };
    return {mean(&FleetTraffic::messages_up), mean(&FleetTraffic::bytes_up),
            mean(&FleetTraffic::messages_down), mean(&FleetTraffic::bytes_down)};
  }
  static std::vector<FleetMessages> messages(const Totals& from, const Totals& to, double divisor) {
    std::vector<FleetMessages> out;
    for (const auto& [key, traffic] : to.messages) {
      const auto before = from.messages.find(key);
      const Stats::Traffic known =
          before == from.messages.end() ? Stats::Traffic{} : before->second;
      if (traffic.messages == known.messages) continue;
      out.push_back({key.received, key.lane == Lane::bulk, std::string(key.message),
                     number(traffic.messages - known.messages) / divisor,
                     number(traffic.bytes - known.bytes) / divisor});
    }
    return out;
  }
  FleetStretch stretch(const Snapshot& from, const Snapshot& to) const {
    FleetStretch out{.from = hour_of(from.at), .to = hour_of(to.at)};
    if (to.at == from.at) return out;
    const double length = out.to - out.from;
    const double agents = length * number(plan_.agents);
    const double gateways = length * number(plan_.gateways);
    out.agent = difference(from.agents, to.agents, agents);
    out.gateway = difference(from.gateways, to.gateways, gateways);
    out.agent_messages = messages(from.agents, to.agents, agents);
    out.gateway_messages = messages(from.gateways, to.gateways, gateways);
    return out;
  }

  Spread memory(std::size_t first, std::size_t end, std::size_t (*of)(std::size_t)) {
    std::vector<double> bytes;
    for (std::size_t i = first; i < end; ++i)
      bytes.push_back(number(of(cluster_.node(i).heap_owner())));
    return spread_of(std::move(bytes));
  }

  void add_point() {
    const Snapshot here = snapshot();
    FleetPoint point{.hour = hour_of(here.at)};
    const double made = std::max(1.0, number(arrivals_.readings()));
    point.at_one = number(arrivals_.at_one()) / made;
    point.at_all = number(arrivals_.at_all()) / made;
    point.agent = difference(last_.agents, here.agents, number(plan_.agents));
    point.gateway = difference(last_.gateways, here.gateways, number(plan_.gateways));
    const Spread agents = memory(cluster_.first_agent(), cluster_.size(), heap_bytes);
    point.agent_bytes = agents.p50;
    point.agent_bytes_max = agents.max;
    point.gateway_bytes_max = memory(0, cluster_.first_agent(), heap_bytes).max;
    out_.points.push_back(point);
    last_ = here;
  }

  const FleetPlan plan_;
  Cluster cluster_;
  Random random_;
  Arrivals arrivals_;
  std::vector<Channels> channels_;
  bool sampling_ = true;
  Snapshot last_;
  FleetRun out_;
};

}  // namespace

FleetRun run_fleet(const FleetPlan& plan) {
  FleetRun run = Fleet(plan).run();
  // One device tells of the disk, when it goes on until its segments are merged.
  const Duration length = std::max(kDiskFlushes * plan.flush, kDiskReadings * plan.sample);
  Fleet one({.agents = 1,
             .steady = length,
             .sample = plan.sample,
             .flush = plan.flush,
             .interval = length,
             .seed = plan.seed});
  (void)one.run();
  run.disk_bytes_per_reading = disk_bytes_per_reading(one.store());
  return run;
}

}  // namespace dunlin::simulation
