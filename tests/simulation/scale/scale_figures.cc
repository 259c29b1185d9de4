#include "tests/simulation/scale/scale_figures.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tests/bench/figures.h"
#include "tests/simulation/scale/fleet.h"
#include "tests/simulation/scale/gateway_load.h"

namespace dunlin::simulation {

namespace {

constexpr double kFlat = 1.1;  // times what it is at the smallest size

void print(const char* figure, double value, const char* unit, const char* side, std::size_t size,
           std::optional<double> bound = {}) {
  bench::print({.figure = figure,
                .value = value,
                .unit = unit,
                .system = "dunlin",
                .mode = "simulation",
                .batch = size,
                .side = side,
                .bound = bound});
}

}  // namespace

void print_fleet_figures() {
  double least_traffic = 0;
  double least_memory = 0;
  for (const std::size_t agents : {100U, 1000U, 10'000U}) {
    const FleetRun run = run_fleet({.agents = agents, .gateways = 3});
    const double traffic = run.before.agent.bytes_up + run.before.agent.bytes_down;
    const double memory = run.agent_memory_peak.p50;
    if (agents == 100) least_traffic = traffic, least_memory = memory;
    print("traffic_an_hour", traffic, "B", "agent", agents);
    print("traffic_to_100_agents", traffic / least_traffic, "1", "agent", agents, kFlat);
    print("replica_memory", memory, "B", "agent", agents);
    print("replica_memory_to_100_agents", memory / least_memory, "1", "agent", agents, kFlat);
    const double hours = run.after.to - run.after.from + run.before.to;
    print("simulated_hour", run.core_seconds / hours, "s", "", agents, 300.0);
    print("problems", static_cast<double>(run.problems.size()), "1", "", agents, 0.0);
  }
}

void print_gateway_figures() {
  double least = 0;
  for (const std::size_t logs : {100U, 10'000U, 100'000U}) {
    const GatewayCost cost = gateway_cost(logs);
    if (logs == 100) least = cost.cpu_us_per_reading;
    print("cpu_per_reading", cost.cpu_us_per_reading, "us", "gateway", logs);
    print("cpu_per_reading_to_100_logs", cost.cpu_us_per_reading / least, "1", "gateway", logs,
          1.5);
    print("memory_per_idle_log", cost.bytes_per_idle_log, "B", "gateway", logs,
          logs == 100'000 ? std::optional(1024.0) : std::nullopt);
    print("replica_start", cost.start_seconds, "s", "gateway", logs, 5.0);
    print("status", cost.status_seconds, "s", "gateway", logs);
    print("status_part", cost.status_part_seconds, "s", "gateway", logs, 0.02);
    print("first_status_part", cost.first_status_part_seconds, "s", "gateway", logs);
  }
  const StartCost start = start_cost(100'000);
  print("store_load", start.load_seconds, "s", "gateway", 100'000);
  print("load_and_start", start.load_seconds + start.start_seconds, "s", "gateway", 100'000, 5.0);
}

void print_gossip(const GossipRun& run) {
  const auto line = [&](const std::string& figure, double value, const char* unit,
                        const char* kind = "", std::optional<double> bound = {}) {
    bench::print({.figure = figure,
                  .value = value,
                  .unit = unit,
                  .system = "dunlin",
                  .mode = "simulation",
                  .batch = run.keepers,
                  .dataset = kind,
                  .side = "keeper",
                  .bound = bound});
  };
  const auto spread = [&](const std::string& figure, std::vector<double> values, const char* unit,
                          const char* kind) {
    const double sum = std::accumulate(values.begin(), values.end(), 0.0);
    line(figure + "_mean", sum / static_cast<double>(values.size()), unit, kind);
    // Of fewer than a hundred it is the greatest.
    const auto p99 = static_cast<std::ptrdiff_t>((values.size() * 99 + 99) / 100 - 1);
    std::nth_element(values.begin(), values.begin() + p99, values.end());
    line(figure + "_p99", values[static_cast<std::size_t>(p99)], unit, kind);
  };
  for (const auto& [kind, entries] : {std::pair("said", &run.said), {"handed", &run.handed}}) {
    spread("gossip_rounds", entries->rounds, "1", kind);
    spread("gossip", entries->seconds, "s", kind);
    spread("gossip_since_first_round", entries->spreading, "s", kind);
  }
  line("log2_of_keepers", std::log2(static_cast<double>(run.keepers)), "1");
  if (run.meeting) {
    line("meeting", run.meeting->seconds, "s");
    line("meeting_digests_of_a_keeper", run.meeting->digests, "1");
    line("meeting_messages_of_a_keeper", run.meeting->messages, "1");
  }
  line("idle_sent_an_hour", run.idle.bytes_up, "B");
  line("idle_received_an_hour", run.idle.bytes_down, "B");
  line("problems", static_cast<double>(run.problems.size()), "1", "", 0.0);
  line("simulation", run.core_seconds, "s");
}

// The more keepers, the less one entry differs from another, and the longer it takes.
void print_gossip_figures() {
  for (const auto& [keepers, entries] :
       {std::pair(10U, 200U), {100U, 40U}, {300U, 6U}, {1000U, 3U}}) {
    print_gossip(run_gossip({.keepers = keepers, .entries = entries, .meeting = keepers <= 300}));
  }
}

}  // namespace dunlin::simulation
