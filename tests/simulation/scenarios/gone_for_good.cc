// One of three archive gateways dies and never comes back, and so does an agent. Two signatures let
// the others go on: their disks keep bounds that hold an hour of readings or two, nothing is lost,
// and the two gateways that are left have all of it.
#include <algorithm>

#include "tests/simulation/run.h"

namespace dunlin::simulation {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

constexpr std::uint64_t kBound = 24 * 1024;

bool let_go(SimNode& agent) {
  const std::vector<LogState> logs = agent.contents().value().logs;
  return std::any_of(logs.begin(), logs.end(),
                     [](const LogState& state) { return !state.released().empty(); });
}

RunResult run(const RunOptions& options) {
  ClusterOptions fleet = random_options(options.seed);
  fleet.light = true;
  fleet.gateways = 3;
  fleet.agents = 12;
  fleet.uplink.archive.acks = 2;
  fleet.origin.storage_bytes_max = kBound;
  fleet.space_every = minutes(1);
  fleet.trace = options.trace;
  Cluster cluster(fleet);
  cluster.append_randomly(minutes(1), 20, hours(24));
  cluster.run_for(hours(1));
  cluster.abandon(cluster.random().below(fleet.gateways));
  cluster.run_for(hours(1));
  const std::size_t victim = cluster.first_agent() + cluster.random().below(fleet.agents);
  cluster.abandon(victim);

  Problems problems;
  for (int hour = 2; hour < 24 && problems.empty(); ++hour) {
    cluster.run_for(hours(1));
    for (std::size_t i = cluster.first_agent(); i < cluster.size(); ++i) {
      if (cluster.gone(i)) continue;
      const std::uint64_t bytes = cluster.node(i).store()->used_bytes().value();
      // Between two looks a minute's readings come on top.
      if (bytes > kBound + kBound / 4)
        problems.push_back(cluster.node(i).client_id() + " has " + std::to_string(bytes) +
                           " bytes");
    }
  }
  for (std::size_t i = cluster.first_agent(); i < cluster.size(); ++i) {
    if (!cluster.gone(i) && !let_go(cluster.node(i)))
      problems.push_back(cluster.node(i).client_id() + " never met its bound");
  }
  for (const Problems& more :
       {settle(cluster, {.crashes = false, .settles_within = minutes(5)}), check_budgets(cluster)})
    problems.insert(problems.end(), more.begin(), more.end());
  return finish(cluster, std::move(problems));
}

const Register kThis{{"gone_for_good", "a gateway of three and an agent never come back", run}};

}  // namespace
}  // namespace dunlin::simulation
