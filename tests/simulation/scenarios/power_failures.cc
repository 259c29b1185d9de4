// Everybody loses power again and again, mostly in the middle of a commit. What was committed is
// there afterwards, no database is damaged, and the fleet converges.
#include "tests/simulation/run.h"

namespace dunlin::simulation {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

RunResult run(const RunOptions& options) {
  ClusterOptions fleet = random_options(options.seed);
  fleet.gateways = 2;
  fleet.trace = options.trace;
  Cluster cluster(fleet);
  cluster.append_randomly(milliseconds(100), 20, seconds(40));
  for (int n = 1; n <= 60; ++n) {
    cluster.after(milliseconds(650 * n), [&] {
      const std::size_t index = cluster.random().below(cluster.size());
      cluster.crash_for(index, milliseconds(300), SimNode::Death::power);
    });
  }
  cluster.run_for(seconds(45));
  cluster.heal();
  return finish(cluster, settle(cluster, {.settles_within = minutes(1)}));
}

const Register kThis{{"power_failures", "power goes in the middle of commits", run}};

}  // namespace
}  // namespace dunlin::simulation
