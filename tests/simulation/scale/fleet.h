#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tests/simulation/cluster.h"
#include "tests/simulation/scale/arrivals.h"

namespace dunlin::simulation {

// A fleet that somebody thinks of: devices with a sensor of four channels each.
//
// It runs for `steady`, then the gateways' links to the broker are silent for `outage` while agents
// go on, then it runs until everything is at the gateways and for `steady` at least.
struct FleetPlan {
  std::size_t agents = 1000;
  std::size_t gateways = 1;
  std::size_t cell_size = 200;
  std::size_t gateways_per_cell = 0;  // 0 = each serves all cells
  double loss = 0;  // of messages at each crossing of a link, but for retained ones
  Duration outage{0};
  Duration steady{std::chrono::hours(1)};
  Duration sample{std::chrono::minutes(1)};  // a reading so often
  Duration flush{std::chrono::minutes(10)};  // an entry, which is a segment, so often
  Duration interval{0};                      // of FleetRun::points; 0 = some 150 in all
  std::uint64_t seed = 1;
};

struct FleetTraffic {  // PUBLISH packets of MQTT 5
  double messages_up = 0, bytes_up = 0, messages_down = 0, bytes_down = 0;
};

// What one interval of a run was like.
struct FleetPoint {
  double hour = 0;  // its end
  double at_one = 0,
         at_all = 0;            // shares of the readings so far: at a gateway, at all of them
  Spread lag;                   // seconds from cut to durable at a gateway, of what was cut in it
  FleetTraffic agent, gateway;  // of a mean node, in it
  double agent_bytes = 0, agent_bytes_max = 0,
         gateway_bytes_max = 0;  // replicas' memory at its end
};

// One kind of message in a stretch of a run.
struct FleetMessages {
  bool received = false;
  bool bulk = false;
  std::string message;
  double count = 0, payload_bytes = 0;  // of a mean node, in an hour
};

struct FleetStretch {
  double from = 0, to = 0;      // hours
  FleetTraffic agent, gateway;  // of a mean node, in an hour
  std::vector<FleetMessages> agent_messages, gateway_messages;
  Spread lag;  // of what was cut in it
};

struct FleetRun {
  FleetPlan plan;
  std::vector<std::string> problems;
  std::vector<FleetPoint> points;
  // Steady; cut off; from the return until all is there; what remains. Of no length where there was
  // no outage.
  FleetStretch before, away, catching_up, after;
  double converged_after = 0;  // seconds since the return
  std::uint64_t readings = 0, segments = 0;
  Spread agent_memory_peak, gateway_memory_peak;  // bytes of the replicas
  double disk_bytes_per_reading = 0;              // of one device, in a real store
  double gateway_cpu_us_per_reading = 0;          // of the replica, in the whole run
  double gateway_signatures_per_reading = 0;
  double core_seconds = 0, rss_bytes = 0;  // of the simulation
};
FleetRun run_fleet(const FleetPlan& plan);

}  // namespace dunlin::simulation
