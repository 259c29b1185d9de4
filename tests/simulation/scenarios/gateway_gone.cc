// One of two gateways dies for half a day; agents go on with the other, are never blocked, and the
// dead one catches up with all of it when it returns.
#include "tests/simulation/run.h"

namespace dunlin::simulation {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

RunResult run(const RunOptions& options) {
  ClusterOptions fleet = random_options(options.seed);
  fleet.light = true;
  fleet.gateways = 2;
  fleet.agents = 20;
  fleet.trace = options.trace;
  Cluster cluster(fleet);
  cluster.append_randomly(minutes(2), 10, hours(13));
  cluster.run_for(minutes(10));
  cluster.crash_for(1, hours(12), SimNode::Death::power);
  cluster.run_for(hours(13));
  Problems problems = settle(cluster, {.crashes = false, .settles_within = minutes(5)});
  const Problems budgets = check_budgets(cluster);
  problems.insert(problems.end(), budgets.begin(), budgets.end());
  return finish(cluster, std::move(problems));
}

const Register kThis{{"gateway_gone", "one of two gateways is away for half a day", run}};

}  // namespace
}  // namespace dunlin::simulation
