// Several cells, and in each of them an agent that keeps the whole fleet, one that keeps its cell,
// and one that follows nodes elsewhere by name. Restarts, a bad network and gateways that die;
// afterwards everybody has all that he has an interest in.
#include "tests/simulation/run.h"

namespace dunlin::simulation {
namespace {

using replication::Interest;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

RunResult run(const RunOptions& options) {
  ClusterOptions fleet = random_options(options.seed);
  Random random(options.seed ^ 0x1f7e);
  fleet.light = true;
  fleet.gateways = 2 + random.below(2);
  fleet.cell_size = 4;
  fleet.agents = fleet.cell_size * (2 + random.below(2));
  fleet.gateways_per_cell = 1 + random.below(2);
  fleet.link.loss = random.unit() * 0.1;
  fleet.link.duplicate = random.unit() * 0.1;
  fleet.trace = options.trace;
  fleet.interest = [gateways = fleet.gateways, agents = fleet.agents](std::size_t agent) {
    const auto name = [&](std::size_t of) {
      return "agent-" + std::to_string(gateways + of % agents);
    };
    switch (agent % 4) {
      case 0:
        return Interest{Interest::Scope::own, {{name(agent + 4)}, {name(agent + 7)}}};
      case 1:
        return Interest{Interest::Scope::fleet};
      case 2:
        return Interest{Interest::Scope::cell, {{name(agent + 5)}}};
      default:
        return Interest{};
    }
  };
  Cluster cluster(fleet);
  cluster.append_randomly(minutes(1), 10, hours(2));
  Cluster::Chaos chaos;
  chaos.mean = minutes(5);
  chaos.away_max = minutes(5);
  cluster.cause_chaos(chaos, hours(2));
  cluster.run_for(hours(2) + minutes(1));
  cluster.heal();
  Problems problems;
  // A Follow comes every five minutes, and so does a Digest.
  if (!cluster.run_until([&] { return converged(cluster); }, minutes(30)))
    problems.emplace_back("somebody has not what he has an interest in");
  const Problems more = check_convergence(cluster, {});
  problems.insert(problems.end(), more.begin(), more.end());
  return finish(cluster, std::move(problems));
}

const Register kThis{{"interests", "agents keep other cells, or follow nodes there", run}};

}  // namespace
}  // namespace dunlin::simulation
