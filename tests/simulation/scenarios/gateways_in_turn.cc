// Three gateways and four cells, each served by two of them. One gateway joins when the fleet is
// old, one is away for a while, one leaves for good, all of it under way and over a bad network: in
// the end each of those that are left holds every log of every cell.
#include "tests/simulation/run.h"

namespace dunlin::simulation {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

RunResult run(const RunOptions& options) {
  ClusterOptions fleet = random_options(options.seed);
  Random random(options.seed ^ 0x6a7e);
  fleet.light = true;
  fleet.gateways = 3;
  fleet.agents = 12;
  fleet.cell_size = 3;
  fleet.gateways_per_cell = 2;
  fleet.link.loss = random.unit() * 0.1;
  fleet.link.duplicate = random.unit() * 0.1;
  fleet.trace = options.trace;
  Cluster cluster(fleet);
  const std::size_t late = random.below(3);
  const std::size_t away = (late + 1) % 3;
  const std::size_t leaves = (late + 2) % 3;
  cluster.reflash(late);
  cluster.append_randomly(minutes(1), 10, hours(6));
  cluster.run_for(hours(1));
  cluster.crash_for(away, hours(1));
  cluster.run_for(hours(2));
  cluster.start(late);
  cluster.run_for(hours(1));
  cluster.abandon(leaves);
  cluster.run_for(hours(2) + minutes(10));
  cluster.heal();
  Problems problems = settle(cluster, {.crashes = false, .settles_within = minutes(10)});
  const Problems budgets = check_budgets(cluster);
  problems.insert(problems.end(), budgets.begin(), budgets.end());
  return finish(cluster, std::move(problems));
}

const Register kThis{{"gateways_in_turn", "gateways of several cells come, go and stay away", run}};

}  // namespace
}  // namespace dunlin::simulation
