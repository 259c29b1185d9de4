#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <memory>

#include "common/runtime/version.h"
#include "tests/bench/figures.h"
#include "tests/simulation/run.h"
#include "tests/simulation/scale/command.h"
#include "tests/simulation/scale/scale_figures.h"

namespace {

using namespace dunlin;
using namespace dunlin::simulation;

double core_seconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

// Prints what was found and how to see it again; true when nothing was.
bool report(const RunResult& result, const std::string& replay) {
  if (result.problems.empty()) return true;
  std::printf("VIOLATION, revision %s%s%s\n", kRevision, result.about.empty() ? "" : ": ",
              result.about.c_str());
  for (const std::string& problem : result.problems) std::printf("  %s\n", problem.c_str());
  std::printf("replay: dunlin-sim %s --trace trace.txt\n", replay.c_str());
  std::fflush(stdout);
  return false;
}

using Play = std::function<RunResult(const RunOptions&)>;

int run_once(const std::string& name, const Play& play, RunOptions options,
             const std::string& trace) {
  std::unique_ptr<std::FILE, CloseFile> file;
  if (!trace.empty()) {
    file.reset(std::fopen(trace.c_str(), "w"));
    if (!file) {
      std::fprintf(stderr, "dunlin-sim: cannot write %s\n", trace.c_str());
      return 2;
    }
    options.trace = [&](const std::string& line) {
      std::fprintf(file.get(), "%s\n", line.c_str());
    };
  }
  const double began = core_seconds();
  const RunResult result = play(options);
  const std::string replay = name + " --seed " + std::to_string(options.seed);
  std::printf("%s, revision %s: %s%s%.1f node-hours in %.1f s, transcript %016llx\n",
              replay.c_str(), kRevision, result.about.c_str(), result.about.empty() ? "" : ", ",
              result.node_hours, core_seconds() - began,
              static_cast<unsigned long long>(result.transcript));
  return report(result, replay) ? 0 : 1;
}

int play_scenarios(const std::vector<std::string>& names, const RunOptions& options,
                   const std::string& trace) {
  int code = 0;
  for (const std::string& name : names) {
    const auto& all = scenarios();
    const auto found = std::find_if(
        all.begin(), all.end(), [&](const Scenario& scenario) { return scenario.name == name; });
    if (found == all.end()) {
      std::fprintf(stderr, "dunlin-sim: no scenario %s; `scenario list` names them\n",
                   name.c_str());
      return 2;
    }
    code = std::max(code, run_once("scenario " + name, found->run, options, trace));
  }
  return code;
}

int list_scenarios() {
  for (const Scenario& scenario : scenarios())
    std::printf("%-24s %s\n", scenario.name.c_str(), scenario.about.c_str());
  return 0;
}

int search(double minutes, std::uint64_t from) {
  constexpr int kViolationsMax = 10;
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(minutes * 60);
  const double began = core_seconds();
  double node_hours = 0;
  int violations = 0;
  const auto count = [&](const RunResult& result, const std::string& command, std::uint64_t seed) {
    node_hours += result.node_hours;
    if (!report(result, command + " --seed " + std::to_string(seed))) violations += 1;
  };
  std::uint64_t seed = from;
  for (; std::chrono::steady_clock::now() < end && violations < kViolationsMax; ++seed) {
    count(run_random({.seed = seed}), "run", seed);
    if (seed % 4 != 0) continue;  // and the written ones in turn
    const std::uint64_t turn = seed / 4;
    const Scenario& written = scenarios()[turn % scenarios().size()];
    count(written.run({.seed = turn}), "scenario " + written.name, turn);
  }
  const double core_minutes = (core_seconds() - began) / 60;
  std::printf(
      "revision %s, seeds %llu to %llu: %.0f node-hours in %.1f core-minutes, %.0f a "
      "core-minute, %d violations\n",
      kRevision, static_cast<unsigned long long>(from), static_cast<unsigned long long>(seed - 1),
      node_hours, core_minutes, node_hours / core_minutes, violations);
  return violations == 0 ? 0 : 1;
}

int seed_figures() {
  constexpr std::uint64_t kSeeds = 24;
  const double began = core_seconds();
  double node_hours = 0;
  double violations = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const RunResult result = run_random({.seed = seed});
    node_hours += result.node_hours;
    violations += result.problems.empty() ? 0 : 1;
  }
  const auto print = [](const char* figure, double value, const char* unit,
                        std::optional<double> bound, bool higher) {
    bench::print({.figure = figure,
                  .value = value,
                  .unit = unit,
                  .system = "dunlin",
                  .mode = "simulation",
                  .bound = bound,
                  .higher_is_better = higher});
  };
  print("node_hours", node_hours, "h", {}, true);
  print("node_hours_per_core_minute", node_hours / (core_seconds() - began) * 60, "h/min", {},
        true);
  print("violations", violations, "1", 0.0, false);
  for (const Scenario& scenario : scenarios()) {
    double broken = 0;
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed)
      broken += scenario.run({.seed = seed}).problems.empty() ? 0 : 1;
    print(("violations_" + scenario.name).c_str(), broken, "1", 0.0, false);
    violations += broken;
  }
  return violations == 0 ? 0 : 1;
}

// All of them, or one part.
int figures(const std::string& part) {
  if (part.empty() || part == "gateway") print_gateway_figures();
  if (part.empty() || part == "fleet") print_fleet_figures();
  if (part.empty() || part == "gossip") print_gossip_figures();
  return part.empty() || part == "seeds" ? seed_figures() : 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("dunlin-sim: fleets of real replicas in virtual time, with every fault we know");
  app.set_version_flag("--version", std::string(kVersion) + " " + kRevision);
  app.require_subcommand(1);

  RunOptions options;
  std::string trace;
  CLI::App* run = app.add_subcommand("run", "a random scenario, all of it drawn from the seed");
  run->add_option("--seed", options.seed)->required();
  run->add_option("--trace", trace, "writes a readable transcript to this file");

  std::vector<std::string> names;
  CLI::App* scenario = app.add_subcommand("scenario", "written scenarios; `list` names them");
  scenario->add_option("name", names)->required();
  scenario->add_option("--seed", options.seed);
  scenario->add_option("--trace", trace, "writes a readable transcript to this file");

  double minutes = 1;
  std::uint64_t from = 1;
  CLI::App* searching =
      app.add_subcommand("search", "random scenarios and written ones, seed after seed");
  searching->add_option("--minutes", minutes)->required();
  searching->add_option("--from", from, "the first seed");

  std::string part;
  CLI::App* figuring = app.add_subcommand("figures", "prints figures as JSON lines");
  figuring
      ->add_option("part", part, "one of seeds, fleet, gateway, gossip; all when it is left out")
      ->check(CLI::IsMember({"seeds", "fleet", "gateway", "gossip"}));
  std::vector<std::string> arguments = arguments_of(argc, argv);
  const std::function<int()> fleet = add_fleet_command(app, arguments);
  std::reverse(arguments.begin(), arguments.end());  // as the parser wants them
  try {
    app.parse(arguments);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  if (app.got_subcommand("fleet")) return fleet();
  if (run->parsed()) return run_once("run", run_random, options, trace);
  if (searching->parsed()) return search(minutes, from);
  if (figuring->parsed()) return figures(part);
  if (names == std::vector<std::string>{"list"}) return list_scenarios();
  return play_scenarios(names, options, trace);
}
