#include "tests/simulation/run.h"

#include <algorithm>

namespace dunlin::simulation {

namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

std::vector<Scenario>& registry() {
  static std::vector<Scenario> all;
  return all;
}

struct Plan {
  ClusterOptions options;
  Cluster::Chaos chaos;
  Duration length{seconds(40)};
  Duration append_mean{milliseconds(250)};
  std::size_t rows_max = 20;
  Expectations expected{.settles_within = minutes(1)};
};

// Short and rough: real stores, real keys, faults every few seconds, disks that fail below SQLite.
Plan draw_rough(std::uint64_t seed) {
  Random random(seed ^ 0x2006);
  Plan plan;
  plan.options = random_options(seed);
  if (random.below(2) == 0) add_bus_faults(plan.options);
  if (random.below(2) == 0) add_disk_faults(plan.options);
  if (random.below(2) == 0) plan.options.crash_after_ack = 0.01;
  if (random.below(3) == 0) {
    plan.options.agent_disk.faults = {
        .read_fails = 0.0001, .write_fails = 0.002, .sync_fails = 0.02};
    plan.options.gateway_disk.faults = plan.options.agent_disk.faults;
  }
  plan.chaos.mean = milliseconds(2000 + random.below(4000));
  plan.chaos.reflash = random.below(3) == 0;
  return plan;
}

// Long and light: hours of a larger fleet that measures every few minutes.
Plan draw_light(std::uint64_t seed) {
  Random random(seed ^ 0x11f7);
  Plan plan;
  ClusterOptions& options = plan.options;
  options = random_options(seed);
  options.light = true;
  options.agents = 4 + random.below(40);
  plan.length = hours(6 + random.below(30));
  plan.append_mean = seconds(60 + random.below(600));
  plan.rows_max = 1 + random.below(10);
  for (replication::TrackPolicy& policy : options.origin.tracks)
    policy.flush_interval = seconds(10 + random.below(600));
  if (random.below(2) == 0) {
    options.link.loss = random.unit() * 0.05;
    options.link.duplicate = random.unit() * 0.05;
    options.link.delay_max = milliseconds(20 + random.below(2000));
  }
  if (random.below(3) == 0) {
    options.agent_disk.write_fails = random.unit() * 0.02;
    options.agent_disk.write_unsure = random.unit() * 0.02;
    options.gateway_disk = options.agent_disk;
  }
  if (random.below(4) == 0) {
    options.space_every = minutes(1);
    options.origin.storage_bytes_max = 8'000 + random.below(40'000);
    plan.expected.losses = true;
  }
  plan.chaos.mean = seconds(300 + random.below(3600));
  plan.chaos.away_max = minutes(1 + random.below(120));
  plan.chaos.reflash = random.below(2) == 0 && !plan.expected.losses;
  plan.expected.settles_within = minutes(5);
  return plan;
}

std::string describe(const Plan& plan) {
  const ClusterOptions& options = plan.options;
  return std::to_string(options.agents) + " agents, " + std::to_string(options.gateways) +
         " gateways, cells of " +
         std::to_string(options.cell_size == 0 ? options.agents : options.cell_size) + ", " +
         std::to_string(plan.length.count() / 1'000'000) + " s, " +
         (options.light ? "light" : "real") + " stores, loss " + std::to_string(options.link.loss) +
         (options.clocks ? ", wrong clocks" : "") + (plan.chaos.reflash ? ", reflashes" : "") +
         (plan.expected.losses ? ", small disks" : "");
}

}  // namespace

Register::Register(Scenario scenario) {
  auto& all = registry();
  const auto at = std::find_if(all.begin(), all.end(),
                               [&](const Scenario& other) { return other.name > scenario.name; });
  all.insert(at, std::move(scenario));
}

const std::vector<Scenario>& scenarios() {
  return registry();
}

RunResult finish(Cluster& cluster, Problems problems, std::string about) {
  return {std::move(about), std::move(problems), cluster.node_hours(), cluster.transcript()};
}

RunResult run_random(const RunOptions& run) {
  Random random(run.seed ^ 0xd2a3);
  Plan plan = random.below(4) == 0 ? draw_rough(run.seed) : draw_light(run.seed);
  // What one gateway holds an agent may let go: with small disks there is no second one to miss it.
  plan.options.gateways = plan.expected.losses ? 1 : 1 + random.below(3);
  if (random.below(2) == 0) {
    plan.options.cell_size = 1 + random.below(plan.options.agents);
    plan.options.gateways_per_cell = random.below(plan.options.gateways + 1);
  }
  plan.options.clocks = random.below(2) == 0;
  plan.options.trace = run.trace;
  Cluster cluster(plan.options);
  cluster.append_randomly(plan.append_mean, plan.rows_max, plan.length);
  cluster.cause_chaos(plan.chaos, plan.length);
  cluster.run_for(plan.length + plan.chaos.away_max + seconds(5));
  cluster.heal();
  Duration flush{};
  for (const auto& policy : plan.options.origin.tracks)
    flush = std::max(flush, policy.flush_interval);
  cluster.run_for(flush);
  Problems problems = settle(cluster, plan.expected);
  const Problems more = check_budgets(cluster);
  problems.insert(problems.end(), more.begin(), more.end());
  return finish(cluster, std::move(problems), describe(plan));
}

}  // namespace dunlin::simulation
