#include "tests/simulation/scale/command.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <fstream>

#include "tests/simulation/scale/report.h"

namespace dunlin::simulation {

namespace {

struct Command {
  FleetPlan plan;
  std::string report;
  bool json = false;
  std::string line;  // as it could be typed again
};

// "24h", "10m", "30s", "7d".
Duration duration_of(const std::string& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string unit(end, text.data() + text.size());
  const std::int64_t seconds = unit == "s"   ? 1
                               : unit == "m" ? 60
                               : unit == "h" ? 3600
                               : unit == "d" ? 86'400
                                             : 0;
  if (error != std::errc() || seconds == 0 || number < 0 || number > 1'000'000)
    throw CLI::ValidationError("'" + text + "' is no time such as 30s, 10m, 24h or 7d");
  return std::chrono::seconds(number * seconds);
}

// "5%", or 0.05.
double share_of(std::string text) {
  const bool percent = text.ends_with('%');
  if (percent) text.pop_back();
  double number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (percent) number /= 100;
  if (error != std::errc() || end != text.data() + text.size() || number < 0 || number >= 1)
    throw CLI::ValidationError("'" + text + "' is no share such as 5% or 0.05");
  return number;
}

int run(const Command& command) {
  std::ofstream file;
  if (!command.report.empty()) {
    file.open(command.report);
    if (!file) {
      std::fprintf(stderr, "dunlin-sim: cannot write %s\n", command.report.c_str());
      return 2;
    }
  }
  const FleetRun fleet = run_fleet(command.plan);
  if (command.json) {
    print_figures(fleet);
  } else {
    std::printf("%s", fleet_text(fleet).c_str());
  }
  if (file.is_open()) file << fleet_page(fleet, command.line) << std::flush;
  return fleet.problems.empty() && file ? 0 : 1;
}

}  // namespace

std::function<int()> add_fleet_command(CLI::App& app, const std::vector<std::string>& arguments) {
  const auto command = std::make_shared<Command>();
  command->line = "dunlin-sim";
  for (const std::string& argument : arguments) command->line += " " + argument;
  FleetPlan& plan = command->plan;
  CLI::App* fleet = app.add_subcommand(
      "fleet",
      "a fleet that is thought of: steady, then with the gateways' links to the broker silent for "
      "the outage while agents go on, then until everything is at the gateways and steady again. "
      "Says what each machine needs");
  const auto time = [&](const std::string& name, Duration& to, const std::string& help) {
    fleet->add_option_function<std::string>(
        name, [&to](const std::string& text) { to = duration_of(text); }, help);
  };
  fleet->add_option("--agents", plan.agents, "each with a sensor of four channels")
      ->check(CLI::Range(1, 60'000))
      ->required();
  fleet->add_option("--gateways", plan.gateways)->check(CLI::Range(1, 100))->capture_default_str();
  fleet->add_option("--cell-size", plan.cell_size, "agents of a cell; 0: one cell")
      ->capture_default_str();
  fleet->add_option("--gateways-per-cell", plan.gateways_per_cell, "0: all")->capture_default_str();
  fleet->add_option_function<std::string>(
      "--loss", [&plan](const std::string& text) { plan.loss = share_of(text); },
      "of messages at each crossing of a link, such as 5%; retained ones are repeated");
  time("--outage", plan.outage, "such as 24h: the gateways' links to the broker are silent");
  fleet->add_option_function<std::uint32_t>(
      "--hours", [&plan](const std::uint32_t& hours) { plan.steady = std::chrono::hours(hours); },
      "steady before the outage, and after it (1)");
  time("--sample", plan.sample, "a reading so often (1m)");
  time("--flush", plan.flush, "a segment so often (10m)");
  fleet->add_option("--seed", plan.seed)->capture_default_str();
  fleet->add_option("--report", command->report, "writes a page with plots to this file");
  fleet->add_flag("--json", command->json, "figures as JSON lines in place of tables");
  return [command] { return run(*command); };
}

std::vector<std::string> arguments_of(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  const bool names_agents =
      std::any_of(arguments.begin(), arguments.end(),
                  [](const std::string& argument) { return argument.starts_with("--agents"); });
  if (names_agents && arguments.front().starts_with("--"))
    arguments.insert(arguments.begin(), "fleet");
  return arguments;
}

}  // namespace dunlin::simulation
