// An agent's database and key are copied to a second machine, and both measure on. One of them, or
// both, go on in epochs of their own; a gateway says that there is a clone, and no reading of
// either is missing at any gateway, or there twice.
#include "tests/simulation/run.h"

namespace dunlin::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

RunResult run(const RunOptions& options) {
  ClusterOptions fleet = random_options(options.seed);
  fleet.gateways = 1 + options.seed % 2;
  fleet.trace = options.trace;
  Cluster cluster(fleet);
  const std::size_t original = cluster.first_agent();
  cluster.append_randomly(milliseconds(300), 20, seconds(20));
  cluster.run_for(seconds(21));
  cluster.crash(original);
  const std::size_t copy = cluster.clone(original);
  cluster.start(original);
  // Who of the two speaks last takes the session: they come back in turns.
  for (int n = 0; n < 8; ++n) {
    const std::size_t who = n % 2 == 0 ? original : copy;
    cluster.after(seconds(3 * n),
                  [&cluster, who] { cluster.bus().break_link(cluster.node(who).client_id()); });
  }
  cluster.append_randomly(milliseconds(300), 20, seconds(40));
  cluster.run_for(minutes(1));
  cluster.heal();
  Problems problems = settle(cluster, {.forks = true, .settles_within = minutes(3)});
  if (cluster.gateway().replica().stats().clones == 0)
    problems.push_back("nobody knows of the clone");
  return finish(cluster, std::move(problems));
}

const Register kThis{{"copied_database", "two machines with one key and one database", run}};

}  // namespace
}  // namespace dunlin::simulation
