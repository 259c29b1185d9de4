// Agents' disks fill up while no broker is there, and get room again: what was acknowledged to the
// sensor stays, what did not fit was refused, and nothing is damaged.
#include "tests/simulation/run.h"

namespace dunlin::simulation {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

RunResult run(const RunOptions& options) {
  ClusterOptions fleet = random_options(options.seed);
  fleet.agents = 3;
  fleet.agent_disk.faults.bytes_max = 300'000;
  fleet.space_every = seconds(1);
  for (auto& policy : fleet.origin.tracks) policy.overflow = Overflow::refuse_new;
  fleet.trace = options.trace;
  Cluster cluster(fleet);
  cluster.run_for(seconds(3));
  cluster.stop_broker_for(minutes(2));
  cluster.append_randomly(milliseconds(100), 60, minutes(2));
  cluster.run_for(minutes(2) + seconds(10));
  cluster.heal();
  return finish(cluster, settle(cluster, {.settles_within = minutes(2)}));
}

const Register kThis{{"full_disks", "no room on agents' disks for a while", run}};

}  // namespace
}  // namespace dunlin::simulation
