// A gateway's key in hostile hands, beside honest gateways whose word the agents wait for: it says
// that it has what it has not, that others wrote what they did not, and signs it. Then the
// authority revokes it. Nobody lost anything, nobody is stuck.
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
  HostileNode gateway(cluster, replication::Role::gateway, options.seed);
  cluster.append_randomly(milliseconds(200), 20, minutes(3));
  gateway.act_for(3000, milliseconds(50));  // for longer than agents wait with a Seal
  cluster.run_for(seconds(160));
  for (int n = 0; n < 20; ++n)  // the broker would retain it
    cluster.after(seconds(n), [&] { revoke(cluster, gateway.id()); });
  gateway.act_for(200, milliseconds(50));
  cluster.run_for(seconds(30));
  Problems problems = settle(cluster, {.forks = true, .settles_within = minutes(2)});
  for (std::size_t i = 0; i < cluster.size(); ++i) {
    if (!cluster.node(i).replica().revoked(gateway.id()))
      problems.push_back("node " + std::to_string(i) + " does not know who was revoked");
  }
  // An epoch of its own has room at the gateways, whatever was sealed meanwhile.
  cluster.reflash(cluster.first_agent());
  cluster.append_randomly(milliseconds(200), 20, seconds(5));
  cluster.run_for(seconds(10));
  const Problems more = settle(cluster, {.forks = true, .settles_within = minutes(2)});
  problems.insert(problems.end(), more.begin(), more.end());
  gateway.look(problems);
  return finish(cluster, std::move(problems));
}

const Register kThis{{"hostile_gateway", "a gateway's key in hostile hands", run}};

}  // namespace
}  // namespace dunlin::simulation
