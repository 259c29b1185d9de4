// A cell of 300 agents for six hours, with broker restarts and a gateway that dies: it converges
// soon after, within its budget of messages.
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
  fleet.agents = 300;
  fleet.trace = options.trace;
  for (replication::TrackPolicy& policy : fleet.origin.tracks) policy.flush_interval = minutes(10);
  Cluster cluster(fleet);
  cluster.append_randomly(minutes(10), 4, hours(6));
  cluster.cause_chaos({.mean = hours(1), .away_max = minutes(30)}, hours(6));
  cluster.run_for(hours(7));
  cluster.heal();
  Problems problems = settle(cluster, {.settles_within = minutes(5)});
  const Problems budgets = check_budgets(cluster);
  problems.insert(problems.end(), budgets.begin(), budgets.end());
  return finish(cluster, std::move(problems));
}

const Register kThis{{"large_fleet", "300 agents for six hours", run}};

}  // namespace
}  // namespace dunlin::simulation
