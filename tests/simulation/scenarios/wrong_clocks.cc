// Clocks without batteries, clocks that jump for hours and drift: readings keep the times that
// their sensors gave them, logs keep their order, and nothing waits for a clock.
#include "tests/simulation/run.h"

namespace dunlin::simulation {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

RunResult run(const RunOptions& options) {
  ClusterOptions fleet = random_options(options.seed);
  fleet.clocks = true;
  fleet.trace = options.trace;
  Cluster cluster(fleet);
  cluster.append_randomly(milliseconds(300), 10, minutes(3));
  for (int n = 1; n <= 40; ++n) {
    cluster.after(seconds(4 * n), [&] {
      SimNode& node = cluster.node(cluster.random().below(cluster.size()));
      node.jump_clock(hours(cluster.random().below(200)) - hours(100));
    });
    cluster.after(milliseconds(4500 * n),
                  [&] { cluster.crash_for(cluster.random().below(cluster.size()), seconds(1)); });
  }
  cluster.run_for(minutes(3) + seconds(10));
  cluster.heal();
  return finish(cluster, settle(cluster, {.settles_within = minutes(1)}));
}

const Register kThis{{"wrong_clocks", "clocks that start in 1970, jump and drift", run}};

}  // namespace
}  // namespace dunlin::simulation
