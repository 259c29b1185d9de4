// Agents keep less than an outage makes: the oldest go, each is declared lost and counted, and what
// a gateway holds is let go without a word.
#include "tests/simulation/run.h"

namespace dunlin::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

RunResult run(const RunOptions& options) {
  ClusterOptions fleet = random_options(options.seed);
  fleet.agents = 3;
  fleet.light = true;
  fleet.space_every = seconds(1);
  fleet.origin.storage_bytes_max = 64 * 1024;
  fleet.origin.tracks.front().flush_readings = 50;
  fleet.trace = options.trace;
  Cluster cluster(fleet);
  cluster.append_randomly(milliseconds(250), 40, minutes(4));
  cluster.run_for(seconds(20));
  cluster.stop_broker_for(minutes(3));
  cluster.run_for(minutes(4));
  return finish(cluster, settle(cluster, {.losses = true, .settles_within = minutes(1)}));
}

const Register kThis{{"small_disks", "an outage that is longer than the disk", run}};

}  // namespace
}  // namespace dunlin::simulation
