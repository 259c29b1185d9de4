#include "tests/simulation/scale/estimate.h"

#include <algorithm>

namespace dunlin::simulation {

namespace {

// Resident memory of the programs, without what a replica knows of other nodes.
constexpr double kAgentProcess = 12e6;
constexpr double kGatewayProcess = 20e6;
// A gateway's mailbox, what waits for its disk and what waits for a track 0, at their bounds.
constexpr double kGatewayQueues = (16 + 8 + 1) * 1024.0 * 1024.0;
constexpr double kHeaders = 104;  // of TCP and IP: a packet with timestamps, and its ACK
constexpr double kHoursAYear = 24 * 365.25;
constexpr double kSegmentSeconds = 1.0 / 8100;  // to read and verify one with libcrypto

double wire_bytes(const FleetTraffic& traffic) {
  return traffic.bytes_up + traffic.bytes_down +
         kHeaders * (traffic.messages_up + traffic.messages_down);
}

}  // namespace

Estimate estimate(const FleetRun& run) {
  const FleetPlan& plan = run.plan;
  const auto hours_of = [](Duration length) {
    return std::chrono::duration<double, std::ratio<3600>>(length).count();
  };
  const double interval = 3600 * hours_of(plan.interval);
  const double readings_an_hour = 1 / hours_of(plan.sample);
  const auto agents = static_cast<double>(plan.agents);  // a gateway has all logs of all cells

  Needs agent;
  agent.memory_bytes = kAgentProcess + run.agent_memory_peak.max;
  agent.disk_bytes_a_year = kHoursAYear * readings_an_hour * run.disk_bytes_per_reading;
  agent.outage_bytes = hours_of(plan.outage) * readings_an_hour * run.disk_bytes_per_reading;
  agent.link_bits = wire_bytes(run.before.agent) * 8 / 3600;
  agent.link_bytes_a_month = wire_bytes(run.before.agent) * kHoursAYear / 12;

  Needs gateway;
  gateway.memory_bytes = kGatewayProcess + kGatewayQueues + run.gateway_memory_peak.max;
  gateway.disk_bytes_a_year = agents * agent.disk_bytes_a_year;
  gateway.link_bits = wire_bytes(run.before.gateway) * 8 / 3600;
  gateway.link_bytes_a_month = wire_bytes(run.before.gateway) * kHoursAYear / 12;
  gateway.cores = agents / hours_of(plan.flush) / 3600 * kSegmentSeconds;
  for (const FleetPoint& point : run.points) {
    agent.link_bits_peak = std::max(agent.link_bits_peak, wire_bytes(point.agent) * 8 / interval);
    gateway.link_bits_peak =
        std::max(gateway.link_bits_peak, wire_bytes(point.gateway) * 8 / interval);
  }
  return {agent, gateway};
}

}  // namespace dunlin::simulation
