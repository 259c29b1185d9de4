// An agent's key in hostile hands. The others lose nothing, double nothing and converge when it is
// quiet, also those that start again and one that is flashed anew.
#include "tests/simulation/hostile_node.h"
#include "tests/simulation/run.h"

namespace dunlin::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

RunResult run(const RunOptions& options) {
  ClusterOptions fleet = random_options(options.seed);
  fleet.trace = options.trace;
  fleet.gateways = 1 + options.seed % 2;
  Cluster cluster(fleet);
  HostileNode member(cluster, replication::Role::agent, options.seed);
  cluster.append_randomly(milliseconds(200), 20, seconds(30));
  member.act_for(1500, milliseconds(20));
  cluster.run_for(seconds(32));
  // What it left behind does not show before the next start.
  for (std::size_t i = 0; i < cluster.size(); ++i) cluster.crash_for(i, seconds(1));
  cluster.run_for(seconds(5));
  Problems problems = settle(cluster, {.forks = true, .settles_within = minutes(1)});
  cluster.reflash(cluster.first_agent());
  cluster.append_randomly(milliseconds(200), 20, seconds(5));
  cluster.run_for(seconds(10));
  const Problems more = settle(cluster, {.forks = true, .settles_within = minutes(1)});
  problems.insert(problems.end(), more.begin(), more.end());
  member.look(problems);
  return finish(cluster, std::move(problems));
}

const Register kThis{{"hostile_member", "an agent's key in hostile hands", run}};

}  // namespace
}  // namespace dunlin::simulation
