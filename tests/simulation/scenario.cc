#include "tests/simulation/scenario.h"

namespace dunlin::simulation {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

ClusterOptions random_options(std::uint64_t seed) {
  Random random(seed ^ 0x5eed);
  ClusterOptions options;
  options.seed = seed;
  options.agents = 3 + random.below(4);
  replication::TrackPolicy& policy = options.origin.tracks.front();
  policy.flush_readings = static_cast<std::uint32_t>(1 + random.below(200));
  policy.flush_interval = milliseconds(50 + random.below(5000));
  if (random.below(3) == 0) {
    options.origin.tracks.push_back(policy);
    options.origin.tracks.back().name = "slow";
    options.origin.tracks.back().track = replication::track_of("slow");
    options.origin.stream_tracks["stream.1"] = "slow";
  }
  options.uplink.window_bytes = std::size_t{4096} << random.below(7);
  options.receiver.chunk_bytes = std::uint64_t{4096} << random.below(6);
  options.receiver.waiting_bytes_max = std::size_t{8192} << random.below(7);
  options.receiver.writing_bytes_max = std::size_t{65536} << random.below(8);
  options.receiver.sessions_max = 1 + random.below(4);
  return options;
}

void add_bus_faults(ClusterOptions& options) {
  Random random(options.seed ^ 0xfa17);
  options.link.loss = random.unit() * 0.3;
  options.link.duplicate = random.unit() * 0.3;
  options.link.delay_max = milliseconds(1 + random.below(1500));
}

void add_disk_faults(ClusterOptions& options) {
  Random random(options.seed ^ 0xd15c);
  for (DiskModel* disk : {&options.agent_disk, &options.gateway_disk}) {
    disk->delay_max = milliseconds(1 + random.below(400));
    disk->write_fails = random.unit() * 0.2;
    disk->write_unsure = random.unit() * 0.1;
    disk->read_fails = random.unit() * 0.2;
  }
}

Problems settle(Cluster& cluster, Expectations expected) {
  cluster.run_for(seconds(6));  // what is pending is flushed
  const bool quiet = cluster.run_until([&] { return converged(cluster); }, expected.settles_within);
  Problems problems = check_convergence(cluster, expected);
  if (!quiet) problems.emplace_back("the fleet does not converge");
  return problems;
}

}  // namespace dunlin::simulation
