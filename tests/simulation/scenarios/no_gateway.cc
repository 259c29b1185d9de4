// A cell whose agents keep each other's logs, and no gateway in reach. They converge all the same,
// restarts and a bad network included. One of them dies for good; when a gateway comes at last it
// gets everything, that one's logs too, from whoever has them.
#include <algorithm>

#include "tests/simulation/run.h"

namespace dunlin::simulation {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

RunResult run(const RunOptions& options) {
  ClusterOptions fleet = random_options(options.seed);
  Random random(options.seed ^ 0x9a7e);
  fleet.light = true;
  fleet.gateways = 1;
  fleet.agents = 4 + random.below(12);
  fleet.interest = [](std::size_t) {
    return replication::Interest{replication::Interest::Scope::cell};
  };
  fleet.link.loss = random.unit() * 0.1;
  fleet.link.duplicate = random.unit() * 0.1;
  fleet.trace = options.trace;
  Cluster cluster(fleet);
  cluster.reflash(Cluster::kGateway);
  cluster.abandon(Cluster::kGateway);
  cluster.append_randomly(minutes(1), 10, hours(3));
  for (int i = 0; i < 6; ++i) {
    const std::size_t agent = cluster.first_agent() + random.below(fleet.agents);
    cluster.after(minutes(20 * i + 5), [&cluster, agent] {
      cluster.crash_for(agent, minutes(10), SimNode::Death::power);
    });
  }
  cluster.run_for(hours(3) + minutes(1));
  cluster.heal();
  Problems problems;
  const auto settles = [&](const char* who) {
    if (cluster.run_until([&] { return converged(cluster); }, minutes(15))) return;
    problems.push_back(std::string("what is known does not come to ") + who);
  };
  settles("all agents");
  const std::size_t dead = cluster.first_agent() + random.below(fleet.agents);
  cluster.abandon(dead);
  cluster.run_for(minutes(1));
  cluster.bring_back(Cluster::kGateway);
  settles("the gateway");
  const auto has_the_dead_ones = [&] {
    const Holdings there = read_holdings(cluster.gateway(), all_readings(cluster));
    return std::ranges::all_of(cluster.node(dead).ledger().promised(),
                               [&](std::uint64_t id) { return there.readings.contains(id); });
  };
  if (!cluster.run_until(has_the_dead_ones, minutes(15)))
    problems.emplace_back("the gateway does not get what the dead one had");
  const Problems more = check_convergence(cluster, {});
  problems.insert(problems.end(), more.begin(), more.end());
  return finish(cluster, std::move(problems));
}

const Register kThis{{"no_gateway", "agents keep their cell until a gateway comes", run}};

}  // namespace
}  // namespace dunlin::simulation
