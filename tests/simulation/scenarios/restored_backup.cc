// Agents get old backups of their databases back, some the same one again, and measure on, often
// with nobody in reach: each goes on in a new epoch. What a gateway had signed for, or this
// database had promised since, is at the gateways once; nothing is there twice.
#include "tests/simulation/run.h"

namespace dunlin::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

std::set<std::uint64_t> held_by_gateways(Cluster& cluster) {
  std::map<std::uint64_t, Reading> appended;
  for (std::size_t i = cluster.first_agent(); i < cluster.size(); ++i) {
    const auto& readings = cluster.node(i).ledger().readings();
    appended.insert(readings.begin(), readings.end());
  }
  std::set<std::uint64_t> held;
  for (const auto& [id, found] : read_holdings(cluster.gateway(), appended).readings)
    held.insert(id);
  return held;
}

struct Backup {
  std::any database;
  std::set<std::uint64_t> promised;
};

RunResult run(const RunOptions& options) {
  ClusterOptions fleet = random_options(options.seed);
  fleet.gateways = 1;
  fleet.trace = options.trace;
  Cluster cluster(fleet);
  cluster.append_randomly(milliseconds(300), 20, seconds(100));
  std::map<std::size_t, Backup> backups;
  for (int n = 0; n < 3; ++n) {
    const std::size_t victim = cluster.first_agent() + cluster.random().below(fleet.agents);
    cluster.run_for(milliseconds(2000 + cluster.random().below(8000)));
    if (!backups.contains(victim)) {
      cluster.crash(victim);
      backups[victim] = {cluster.node(victim).backup(), cluster.node(victim).ledger().promised()};
      cluster.start(victim);
    }
    cluster.run_for(milliseconds(1000 + cluster.random().below(12000)));
    const std::set<std::uint64_t> held = held_by_gateways(cluster);
    cluster.restore(victim, backups[victim].database);
    cluster.node(victim).ledger().promise(backups[victim].promised);
    cluster.node(victim).ledger().promise(held);
    const bool alone = cluster.random().below(2) == 0;
    if (alone) cluster.partition_for(victim, seconds(5));
    cluster.start(victim);
    cluster.run_for(milliseconds(cluster.random().below(6000)));
    if (cluster.random().below(2) == 0) cluster.crash_for(victim, milliseconds(500));
  }
  cluster.run_for(minutes(2));
  cluster.heal();
  return finish(cluster, settle(cluster, {.forks = true, .settles_within = minutes(3)}));
}

const Register kThis{{"restored_backup", "agents come back with old databases", run}};

}  // namespace
}  // namespace dunlin::simulation
