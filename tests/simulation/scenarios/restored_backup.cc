// An agent gets a backup of yesterday back and measures on. Either it notices and opens a new
// epoch, or it forks its log, and then a gateway says so; everybody else goes on undisturbed.
#include "tests/simulation/run.h"

namespace dunlin::simulation {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

RunResult run(const RunOptions& options) {
  ClusterOptions fleet = random_options(options.seed);
  fleet.trace = options.trace;
  Cluster cluster(fleet);
  const std::size_t victim = cluster.first_agent();
  cluster.append_randomly(milliseconds(300), 20, seconds(60));
  cluster.run_for(seconds(15));
  cluster.crash(victim);
  const std::any backup = cluster.node(victim).backup();
  cluster.start(victim);
  cluster.run_for(seconds(20));
  cluster.restore(victim, backup);
  cluster.start(victim);
  cluster.run_for(minutes(3));
  Problems problems = cluster.problems();
  const Problems forks = check_forks(cluster, true);
  problems.insert(problems.end(), forks.begin(), forks.end());
  return finish(cluster, std::move(problems));
}

const Register kThis{{"restored_backup", "an agent comes back with an old database", run}};

}  // namespace
}  // namespace dunlin::simulation
