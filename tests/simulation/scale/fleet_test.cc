// A small fleet and the page that tells of it.
#include "tests/simulation/scale/fleet.h"
#include "tests/simulation/scale/heap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "common/page/words.h"
#include "tests/simulation/scale/command.h"
#include "tests/simulation/scale/report.h"
#include "tests/support/temp_dir.h"

namespace dunlin::simulation {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using testing::HasSubstr;
using testing::IsEmpty;

FleetPlan small_plan() {
  return {.agents = 12,
          .gateways = 2,
          .cell_size = 5,
          .loss = 0.05,
          .outage = hours(2),
          .flush = minutes(5),
          .seed = 3};
}

const FleetRun& small_run() {
  static const FleetRun run = run_fleet(small_plan());
  return run;
}

TEST(Fleet, ConvergesAfterTheOutage) {
  const FleetRun& run = small_run();
  EXPECT_THAT(run.problems, IsEmpty());
  EXPECT_GT(run.readings, 4 * run.segments);  // five, but for the last ones
  ASSERT_GT(run.points.size(), 100U);
  EXPECT_EQ(run.points.back().at_all, 1.0);
  EXPECT_LT(run.away.to - run.away.from, 2.001);
  EXPECT_EQ(run.away.gateway.bytes_down, 0.0);
  EXPECT_GT(run.away.lag.max, 3600.0);
  EXPECT_LT(run.after.lag.p50, 1.0);
  EXPECT_LT(run.converged_after, 1200.0);
#if DUNLIN_COUNTS_HEAP
  EXPECT_GT(run.agent_memory_peak.p50, 1000.0);
  EXPECT_GT(run.gateway_memory_peak.p50, run.agent_memory_peak.p50);
#endif
  EXPECT_GT(run.disk_bytes_per_reading, 1.0);
  EXPECT_LT(run.disk_bytes_per_reading, 20.0);
}

TEST(Fleet, RepeatsWithItsSeed) {
  FleetPlan plan = small_plan();
  plan.outage = minutes(10);
  const FleetRun one = run_fleet(plan);
  const FleetRun two = run_fleet(plan);
  EXPECT_EQ(one.before.agent.bytes_up, two.before.agent.bytes_up);
  EXPECT_EQ(one.after.lag.max, two.after.lag.max);
  EXPECT_EQ(one.agent_memory_peak.max, two.agent_memory_peak.max);
}

// Every element that begins ends, in the place of its beginning; quotes are closed.
std::string first_mistake(const std::string& page) {
  std::vector<std::string> open;
  for (std::size_t at = page.find('<'); at != std::string::npos; at = page.find('<', at)) {
    const std::size_t end = page.find('>', at);
    if (end == std::string::npos) return "a tag without an end";
    const std::string tag = page.substr(at + 1, end - at - 1);
    const std::string name = tag.substr(0, tag.find_first_of(" /\n", 1));
    at = end;
    if (tag.starts_with('!') || tag.ends_with('/')) continue;
    if (std::count(tag.begin(), tag.end(), '"') % 2 != 0) return "quotes in " + tag;
    if (tag.starts_with('/')) {
      if (open.empty() || "/" + open.back() != name) return "</" + name + "> out of place";
      open.pop_back();
      continue;
    }
    open.push_back(name);
    // What is inside of these is no markup.
    if (name == "style" || name == "script") at = page.find("</" + name, at);
  }
  return open.empty() ? "" : "<" + open.back() + "> does not end";
}

TEST(FleetReport, IsAPageWithTheNumbersOfTheRun) {
  const FleetRun& run = small_run();
  const std::string page = fleet_page(run, "dunlin-sim --agents 12 <&>");
  EXPECT_EQ(first_mistake(page), "");
  for (const char* elsewhere : {"http:", "https:", "src=", "@import", "url("})
    EXPECT_EQ(page.find(elsewhere), std::string::npos) << elsewhere;
  EXPECT_THAT(page, HasSubstr("dunlin-sim --agents 12 &lt;&amp;&gt;"));
  EXPECT_THAT(page, HasSubstr(page::bytes_text(run.gateway_memory_peak.max)));

  const std::string begins = "<script type=\"application/json\" id=\"run\">";
  const std::size_t at = page.find(begins) + begins.size();
  const auto json = nlohmann::json::parse(page.substr(at, page.find("</script>", at) - at));
  EXPECT_EQ(json["plan"]["agents"], run.plan.agents);
  EXPECT_EQ(json["readings"], run.readings);
  EXPECT_EQ(json["converged_after_seconds"], run.converged_after);
  EXPECT_EQ(json["away"]["lag_seconds"]["max"], run.away.lag.max);
  ASSERT_EQ(json["points"].size(), run.points.size());
  for (std::size_t i = 0; i < run.points.size(); ++i) {
    EXPECT_EQ(json["points"][i]["at_all"], run.points[i].at_all);
    EXPECT_EQ(json["points"][i]["gateway"]["bytes_up"], run.points[i].gateway.bytes_up);
  }
}

// As somebody types it, with and without the command's name.
TEST(FleetCommand, WritesItsReport) {
  const test::TempDir folder;
  for (const bool named : {false, true}) {
    const std::string file = folder.file(named ? "named.html" : "bare.html");
    std::vector<std::string> typed = {"dunlin-sim", "--agents", "3",  "--gateways", "1", "--outage",
                                      "10m",        "--loss",   "1%", "--report",   file};
    if (named) typed.insert(typed.begin() + 1, "fleet");
    std::vector<char*> argv;
    for (std::string& argument : typed) argv.push_back(argument.data());
    std::vector<std::string> arguments = arguments_of(static_cast<int>(argv.size()), argv.data());
    CLI::App app;
    const auto run = add_fleet_command(app, arguments);
    std::reverse(arguments.begin(), arguments.end());
    app.parse(arguments);
    testing::internal::CaptureStdout();
    EXPECT_EQ(run(), 0);
    EXPECT_THAT(testing::internal::GetCapturedStdout(), HasSubstr("3 agents, 1 gateway\n"));
    std::ifstream in(file);
    const std::string page(std::istreambuf_iterator<char>(in), {});
    EXPECT_EQ(first_mistake(page), "");
    EXPECT_THAT(page, HasSubstr("\"outage_seconds\":600.0"));
  }
}

TEST(FleetCommand, RefusesWhatIsNoTimeAndNoShare) {
  for (const auto& [option, value] : {std::pair("--outage", "24"),
                                      {"--outage", "x"},
                                      {"--loss", "101%"},
                                      {"--loss", "5 percent"}}) {
    CLI::App app;
    std::vector<std::string> arguments{value, option, "3", "--agents", "fleet"};
    const auto run = add_fleet_command(app, arguments);  // keeps what the options are read into
    EXPECT_THROW(app.parse(arguments), CLI::ValidationError) << option << " " << value;
  }
}

}  // namespace
}  // namespace dunlin::simulation
