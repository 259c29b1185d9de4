#include "tests/simulation/scale/report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/page/page.h"
#include "common/page/plot.h"
#include "common/page/words.h"
#include "common/runtime/version.h"
#include "tests/bench/figures.h"
#include "tests/simulation/scale/fleet_words.h"

namespace dunlin::simulation {

namespace {

using nlohmann::ordered_json;
using page::bytes_text, page::escape, page::percent_text, page::Plot, page::seconds_text;

constexpr const char* kStyle = R"(
.needs td { font-size: 17px; }
.needs td:first-child { font-size: 15px; }
)";

// ---- the numbers ----

ordered_json json_of(const Spread& spread) {
  return {{"count", spread.count}, {"p50", spread.p50}, {"p99", spread.p99}, {"max", spread.max}};
}

ordered_json json_of(const FleetTraffic& traffic) {
  return {{"messages_up", traffic.messages_up},
          {"bytes_up", traffic.bytes_up},
          {"messages_down", traffic.messages_down},
          {"bytes_down", traffic.bytes_down}};
}

ordered_json json_of(const std::vector<FleetMessages>& messages) {
  ordered_json out = ordered_json::array();
  for (const FleetMessages& message : messages) {
    out.push_back({{"direction", message.received ? "received" : "sent"},
                   {"lane", message.bulk ? "bulk" : "live"},
                   {"message", message.message},
                   {"count", message.count},
                   {"payload_bytes", message.payload_bytes}});
  }
  return out;
}

ordered_json json_of(const FleetStretch& stretch) {
  return {{"from_hour", stretch.from},
          {"to_hour", stretch.to},
          {"lag_seconds", json_of(stretch.lag)},
          {"agent_an_hour", json_of(stretch.agent)},
          {"gateway_an_hour", json_of(stretch.gateway)},
          {"agent_messages_an_hour", json_of(stretch.agent_messages)},
          {"gateway_messages_an_hour", json_of(stretch.gateway_messages)}};
}

ordered_json json_of(const Needs& needs) {
  return {{"memory_bytes", needs.memory_bytes},
          {"disk_bytes_a_year", needs.disk_bytes_a_year},
          {"outage_bytes", needs.outage_bytes},
          {"link_bits_a_second", needs.link_bits},
          {"link_bits_a_second_peak", needs.link_bits_peak},
          {"link_bytes_a_month", needs.link_bytes_a_month},
          {"cores", needs.cores}};
}

ordered_json json_of(const FleetRun& run) {
  const FleetPlan& plan = run.plan;
  const auto seconds = [](Duration length) {
    return std::chrono::duration<double>(length).count();
  };
  const Estimate needs = estimate(run);
  ordered_json out;
  out["plan"] = {{"agents", plan.agents},
                 {"gateways", plan.gateways},
                 {"cell_size", plan.cell_size},
                 {"gateways_per_cell", plan.gateways_per_cell},
                 {"loss", plan.loss},
                 {"outage_seconds", seconds(plan.outage)},
                 {"steady_seconds", seconds(plan.steady)},
                 {"sample_seconds", seconds(plan.sample)},
                 {"flush_seconds", seconds(plan.flush)},
                 {"seed", plan.seed}};
  out["revision"] = kRevision;
  out["problems"] = run.problems;
  out["readings"] = run.readings;
  out["segments"] = run.segments;
  out["converged_after_seconds"] = run.converged_after;
  out["needs"] = {{"agent", json_of(needs.agent)}, {"gateway", json_of(needs.gateway)}};
  out["agent_memory_peak_bytes"] = json_of(run.agent_memory_peak);
  out["gateway_memory_peak_bytes"] = json_of(run.gateway_memory_peak);
  out["disk_bytes_per_reading"] = run.disk_bytes_per_reading;
  out["before"] = json_of(run.before);
  out["away"] = json_of(run.away);
  out["catching_up"] = json_of(run.catching_up);
  out["after"] = json_of(run.after);
  for (const FleetPoint& point : run.points) {
    out["points"].push_back({{"hour", point.hour},
                             {"at_one", point.at_one},
                             {"at_all", point.at_all},
                             {"lag_seconds", json_of(point.lag)},
                             {"agent", json_of(point.agent)},
                             {"gateway", json_of(point.gateway)},
                             {"agent_bytes", point.agent_bytes},
                             {"agent_bytes_max", point.agent_bytes_max},
                             {"gateway_bytes_max", point.gateway_bytes_max}});
  }
  return out;
}

// ---- the plots ----

Plot plot_of(const FleetRun& run, const std::string& title, const std::string& about,
             std::string (*text)(double)) {
  const double end = run.points.empty() ? 1 : std::max(0.01, run.points.back().hour);
  Plot plot{.frame = {title, about, page::hours_axis(end)}, .text = text};
  for (const FleetPoint& point : run.points) plot.at.push_back(point.hour);
  if (run.away.to > run.away.from)
    plot.band = Plot::Band{run.away.from, run.away.to, "gateways cut off"};
  return plot;
}

template <typename Value>
void add(Plot& plot, const FleetRun& run, const std::string& name, Value value) {
  Plot::Line line{name, {}};
  for (const FleetPoint& point : run.points) line.values.push_back(value(point));
  plot.lines.push_back(std::move(line));
}

std::string convergence(const FleetRun& run) {
  Plot plot = plot_of(run, "Convergence", "Share of all readings so far that are at gateways.",
                      percent_text);
  plot.top = 1.0;
  add(plot, run, "at one or more", [](const FleetPoint& p) { return std::optional(p.at_one); });
  add(plot, run, "at all gateways", [](const FleetPoint& p) { return std::optional(p.at_all); });
  return draw(plot);
}

std::string lag(const FleetRun& run) {
  Plot plot = plot_of(run, "Lag",
                      "How long what was cut at that time took to a gateway's disk. Logarithmic.",
                      seconds_text);
  plot.ticks = {0.001, 0.01, 0.1, 1, 10, 60, 600, 3600, 6 * 3600, 86400, 7 * 86400, 30 * 86400};
  const auto part = [](double Spread::*of) {
    return [of](const FleetPoint& p) {
      return p.lag.count > 0 ? std::optional(p.lag.*of) : std::nullopt;
    };
  };
  add(plot, run, "median", part(&Spread::p50));
  add(plot, run, "99 of 100", part(&Spread::p99));
  add(plot, run, "longest", part(&Spread::max));
  return draw(plot);
}

std::string traffic(const FleetRun& run, const std::string& who, FleetTraffic FleetPoint::*node) {
  const double hours = std::chrono::duration<double, std::ratio<3600>>(run.plan.interval).count();
  Plot plot = plot_of(run, "Traffic of " + who, "MQTT packets, as bytes in an hour. Logarithmic.",
                      bytes_text);
  for (double tick = 1; tick < 1e15; tick *= 10) plot.ticks.push_back(tick);
  const auto an_hour = [&](double FleetTraffic::*bytes) {
    return [=](const FleetPoint& p) { return std::optional(p.*node.*bytes / hours); };
  };
  add(plot, run, "sends", an_hour(&FleetTraffic::bytes_up));
  add(plot, run, "receives", an_hour(&FleetTraffic::bytes_down));
  return draw(plot);
}

std::string agent_memory(const FleetRun& run) {
  Plot plot = plot_of(run, "Memory of an agent", "What its replica has allocated.", bytes_text);
  add(plot, run, "median", [](const FleetPoint& p) { return std::optional(p.agent_bytes); });
  add(plot, run, "greatest", [](const FleetPoint& p) { return std::optional(p.agent_bytes_max); });
  return draw(plot);
}

std::string gateway_memory(const FleetRun& run) {
  Plot plot = plot_of(run, "Memory of a gateway", "What its replica has allocated.", bytes_text);
  add(plot, run, "greatest",
      [](const FleetPoint& p) { return std::optional(p.gateway_bytes_max); });
  return draw(plot);
}

std::string html_of(const Table& table, const std::string& kind) {
  std::string out = "<div class=\"card scroll\"><table class=\"" + kind + "\"><caption>" +
                    escape(table.title) + "</caption><thead><tr>";
  for (const std::string& name : table.head) out += "<th>" + escape(name) + "</th>";
  out += "</tr></thead><tbody>\n";
  for (const auto& row : table.rows) {
    out += "<tr>";
    for (const std::string& cell : row) out += "<td>" + escape(cell) + "</td>";
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

}  // namespace

std::string fleet_page(const FleetRun& run, const std::string& command) {
  const std::vector<Table> tables = tables_of(run);
  std::string body =
      "<h1>" + escape(title_of(run.plan)) + "</h1>\n<p>" + escape(about(run)) + "</p>\n";
  for (const std::string& problem : run.problems)
    body += "<p class=\"alarm\">" + escape(problem) + "</p>\n";
  body += "<h2>To be bought</h2>\n<div class=\"grid2\">\n" + html_of(tables[0], "needs") +
          html_of(tables[1], "plain") + "</div>\n";
  body += "<h2>As it went</h2>\n<div class=\"grid2\">\n" + convergence(run) + lag(run) +
          traffic(run, "an agent", &FleetPoint::agent) +
          traffic(run, "a gateway", &FleetPoint::gateway) + agent_memory(run) +
          gateway_memory(run) + "</div>\n";
  body += "<h2>In figures</h2>\n<div class=\"grid2\">\n";
  for (std::size_t i = 2; i < tables.size(); ++i) body += html_of(tables[i], "plain");
  body += "</div>\n<h2>How it was measured</h2>\n<ul class=\"notes\">\n";
  for (const std::string& note : notes_of(run)) body += "<li>" + escape(note) + "</li>\n";
  body += "</ul>\n<footer><code>" + escape(command) + "</code><br/>revision " + kRevision +
          "</footer>\n";
  body += page::embedded("run", json_of(run).dump());
  return page::page_of("Dunlin: " + title_of(run.plan), body, kStyle);
}

std::string fleet_text(const FleetRun& run) {
  std::string out = title_of(run.plan) + "\n" + about(run) + "\n";
  for (const std::string& problem : run.problems) out += "PROBLEM: " + problem + "\n";
  for (const Table& table : tables_of(run)) {
    out += "\n" + table.title + "\n";
    std::vector<std::vector<std::string>> lines{table.head};
    lines.insert(lines.end(), table.rows.begin(), table.rows.end());
    std::vector<std::size_t> widths(table.head.size());
    for (const auto& line : lines) {
      for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
    }
    for (const auto& line : lines) {
      for (std::size_t i = 0; i < line.size(); ++i) {
        const std::string gap(widths[i] - line[i].size(), ' ');
        out += i == 0 ? "  " + line[i] + gap : "   " + gap + line[i];
      }
      out += "\n";
    }
  }
  out += "\n";
  for (const std::string& note : notes_of(run)) out += "- " + note + "\n";
  return out;
}

void print_figures(const FleetRun& run) {
  const auto print = [&](const char* figure, double value, const char* unit, const char* side) {
    bench::print({.figure = figure,
                  .value = value,
                  .unit = unit,
                  .system = "dunlin",
                  .mode = "fleet",
                  .batch = run.plan.agents,
                  .side = side});
  };
  const Estimate needs = estimate(run);
  print("problems", static_cast<double>(run.problems.size()), "1", "");
  print("converged_after", run.converged_after, "s", "");
  for (const auto& [name, stretch] :
       {std::pair("steady", &run.before), {"away", &run.away}, {"again", &run.after}}) {
    const std::string prefix = std::string("lag_") + name;
    if (stretch->lag.count == 0) continue;
    print((prefix + "_p50").c_str(), stretch->lag.p50, "s", "");
    print((prefix + "_p99").c_str(), stretch->lag.p99, "s", "");
    print((prefix + "_max").c_str(), stretch->lag.max, "s", "");
  }
  for (const auto& [side, traffic, memory, need] :
       {std::tuple("agent", &run.before.agent, run.agent_memory_peak.max, &needs.agent),
        {"gateway", &run.before.gateway, run.gateway_memory_peak.max, &needs.gateway}}) {
    print("sent_an_hour", traffic->bytes_up, "B", side);
    print("received_an_hour", traffic->bytes_down, "B", side);
    print("replica_memory_peak", memory, "B", side);
    print("memory", need->memory_bytes, "B", side);
    print("disk_a_year", need->disk_bytes_a_year, "B", side);
    print("link", need->link_bits, "bit/s", side);
    print("link_peak", need->link_bits_peak, "bit/s", side);
  }
  print("replica_cpu_per_reading", run.gateway_cpu_us_per_reading, "us", "gateway");
  print("signatures_per_reading", run.gateway_signatures_per_reading, "1", "gateway");
  print("disk_per_reading", run.disk_bytes_per_reading, "B", "");
  print("simulation_core_time", run.core_seconds, "s", "");
  print("simulation_memory", run.rss_bytes, "B", "");
}

}  // namespace dunlin::simulation
