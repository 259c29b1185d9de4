// Disks whose fsync, writes and reads fail now and then, and power failures on top: a store is
// closed and opened anew after each error, and nothing is built on what a failed fsync left behind.
#include "tests/simulation/run.h"

namespace dunlin::simulation {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

RunResult run(const RunOptions& options) {
  ClusterOptions fleet = random_options(options.seed);
  fleet.agent_disk.faults = {.read_fails = 0.0005, .write_fails = 0.005, .sync_fails = 0.1};
  fleet.gateway_disk.faults = fleet.agent_disk.faults;
  fleet.trace = options.trace;
  Cluster cluster(fleet);
  cluster.append_randomly(milliseconds(150), 20, seconds(60));
  for (int n = 1; n <= 20; ++n) {
    cluster.after(seconds(3 * n), [&] {
      const std::size_t index = cluster.random().below(cluster.size());
      cluster.crash_for(index, milliseconds(500), SimNode::Death::power);
    });
  }
  cluster.run_for(seconds(70));
  cluster.heal();
  return finish(cluster, settle(cluster, {.settles_within = minutes(1)}));
}

const Register kThis{{"failing_syncs", "fsync, reads and writes fail below SQLite", run}};

}  // namespace
}  // namespace dunlin::simulation
