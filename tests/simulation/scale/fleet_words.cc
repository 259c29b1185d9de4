#include "tests/simulation/scale/fleet_words.h"

#include <algorithm>

#include "common/page/words.h"

namespace dunlin::simulation {

namespace {

using page::bytes_text, page::count_text, page::percent_text, page::rate_text, page::seconds_text;

double seconds_of(Duration length) {
  return std::chrono::duration<double>(length).count();
}

std::string lag_text(const Spread& lag, double Spread::*part) {
  return lag.count == 0 ? "-" : seconds_text(lag.*part);
}

// The stretches that there were, with their names.
std::vector<std::pair<std::string, const FleetStretch*>> stretches(const FleetRun& run) {
  std::vector<std::pair<std::string, const FleetStretch*>> out{{"steady", &run.before}};
  if (run.plan.outage == Duration{}) return out;
  out.emplace_back("cut off", &run.away);
  if (run.catching_up.to > run.catching_up.from) out.emplace_back("catching up", &run.catching_up);
  out.emplace_back("steady again", &run.after);
  return out;
}

Table needs(const FleetRun& run) {
  const Estimate of = estimate(run);
  const auto row = [](const std::string& name, double agent, double gateway,
                      std::string (*text)(double)) {
    return std::vector<std::string>{name, text(agent), text(gateway)};
  };
  Table table{"What each machine needs", {"", "an agent", "a gateway"}, {}};
  table.rows = {
      row("memory (RAM)", of.agent.memory_bytes, of.gateway.memory_bytes, bytes_text),
      row("disk for a year", of.agent.disk_bytes_a_year, of.gateway.disk_bytes_a_year, bytes_text),
      row("link, steady", of.agent.link_bits, of.gateway.link_bits, rate_text),
      row("link, at its busiest", of.agent.link_bits_peak, of.gateway.link_bits_peak, rate_text),
      row("traffic a month", of.agent.link_bytes_a_month, of.gateway.link_bytes_a_month,
          bytes_text),
  };
  if (run.plan.outage > Duration{})
    table.rows.push_back({"disk for the outage", bytes_text(of.agent.outage_bytes), "-"});
  table.rows.push_back({"a core, busy with segments", "-", percent_text(of.gateway.cores)});
  return table;
}

Table lags(const FleetRun& run) {
  Table table{"From cut to durable at a gateway, of what was cut then",
              {"", "median", "99 of 100", "longest"},
              {}};
  for (const auto& [name, stretch] : stretches(run)) {
    table.rows.push_back({name, lag_text(stretch->lag, &Spread::p50),
                          lag_text(stretch->lag, &Spread::p99),
                          lag_text(stretch->lag, &Spread::max)});
  }
  return table;
}

Table traffic(const FleetRun& run) {
  Table table{
      "Traffic in an hour, sent and received", {"", "agent up", "down", "gateway up", "down"}, {}};
  for (const auto& [name, stretch] : stretches(run)) {
    table.rows.push_back(
        {name, bytes_text(stretch->agent.bytes_up), bytes_text(stretch->agent.bytes_down),
         bytes_text(stretch->gateway.bytes_up), bytes_text(stretch->gateway.bytes_down)});
  }
  return table;
}

Table messages(const std::string& title, const std::vector<FleetMessages>& messages) {
  Table table{title, {"message", "lane", "count", "payload"}, {}};
  for (const FleetMessages& message : messages) {
    table.rows.push_back({(message.received ? "receives " : "sends ") + message.message,
                          message.bulk ? "bulk" : "live", count_text(message.count),
                          bytes_text(message.payload_bytes)});
  }
  return table;
}

Table memory(const FleetRun& run) {
  return {"Memory of the replica, at its peak",
          {"", "median", "99 of 100", "greatest"},
          {{"agents", bytes_text(run.agent_memory_peak.p50), bytes_text(run.agent_memory_peak.p99),
            bytes_text(run.agent_memory_peak.max)},
           {"gateways", bytes_text(run.gateway_memory_peak.p50),
            bytes_text(run.gateway_memory_peak.p99), bytes_text(run.gateway_memory_peak.max)}}};
}

}  // namespace

std::string title_of(const FleetPlan& plan) {
  const auto plural = [](std::size_t count, const std::string& one) {
    return count_text(static_cast<double>(count)) + " " + one + (count == 1 ? "" : "s");
  };
  return plural(plan.agents, "agent") + ", " + plural(plan.gateways, "gateway");
}

std::string about(const FleetRun& run) {
  const FleetPlan& plan = run.plan;
  const std::size_t size = plan.cell_size == 0 ? plan.agents : plan.cell_size;
  std::string text = "Cells of " + count_text(static_cast<double>(size)) + " agents, ";
  text += plan.gateways_per_cell == 0 ? "each served by every gateway"
                                      : "each served by " + std::to_string(plan.gateways_per_cell) +
                                            " of the gateways, which pass them on to the others";
  text += ". A reading of four channels every " + seconds_text(seconds_of(plan.sample)) +
          ", sent every " + seconds_text(seconds_of(plan.flush)) + ". ";
  if (plan.loss > 0) text += "Each link loses " + percent_text(plan.loss) + " of its messages. ";
  if (plan.outage > Duration{}) {
    text += "After " + seconds_text(seconds_of(plan.steady)) +
            " the gateways were cut off from the broker for " +
            seconds_text(seconds_of(plan.outage)) + "; " + seconds_text(run.converged_after) +
            " after their return everything was at all of them. ";
  }
  text += count_text(static_cast<double>(run.readings)) + " readings in " +
          count_text(static_cast<double>(run.segments)) + " segments";
  return text + (run.problems.empty() ? ", none lost." : ".");
}

std::vector<Table> tables_of(const FleetRun& run) {
  return {needs(run),
          lags(run),
          traffic(run),
          memory(run),
          messages("An agent's messages in a steady hour", run.before.agent_messages),
          messages("A gateway's messages in a steady hour", run.before.gateway_messages)};
}

std::vector<std::string> notes_of(const FleetRun& run) {
  return {
      "Real replicas in virtual time; stand-ins for keys and stores, the same sizes. The same seed "
      "gives the same run.",
      "Traffic: PUBLISH packets of MQTT 5, topics included. Links and months also count 104 bytes "
      "of TCP and IP a message; TLS is not in it.",
      "Memory: what the replica has allocated, as the C library's chunks, by counting. What a "
      "machine needs adds the process as it was measured (agent 12 MB, gateway 20 MB) and a "
      "gateway's queues at their bounds (26 MB).",
      "Disk: " + count_text(run.disk_bytes_per_reading) +
          " bytes a reading, of one device that went on for long, in the real store. Nothing is "
          "pruned.",
      "A core: segments a second, of 8,100 that libcrypto verifies. Commits wait for the disk, and "
      "share it.",
      "Lag: from the cutting of a segment until a first gateway has it on its disk. Until it is "
      "cut "
      "a reading waits for the next flush.",
  };
}

}  // namespace dunlin::simulation
