// Crashes at any moment, disks that fail, databases that go: what was acknowledged stays.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/simulation/scenario.h"
#include "tests/simulation/seeds.h"

namespace dunlin::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::IsEmpty;

TEST(Crash, AgentsAndGatewayAtAnyMoment) {
  for_seeds(8, [](std::uint64_t seed) {
    Cluster cluster(random_options(seed));
    cluster.append_randomly(milliseconds(200), 20, seconds(40));
    cluster.cause_chaos({.mean = seconds(2)}, seconds(40));
    cluster.run_for(seconds(55));
    cluster.heal();
    EXPECT_THAT(settle(cluster, {.settles_within = minutes(1)}), IsEmpty());
  });
}

TEST(Crash, EverythingAtOnce) {
  for_seeds(10, [](std::uint64_t seed) {
    ClusterOptions options = random_options(seed);
    add_bus_faults(options);
    add_disk_faults(options);
    options.crash_after_ack = 0.01;
    Cluster cluster(options);
    cluster.append_randomly(milliseconds(300), 20, seconds(40));
    cluster.cause_chaos({.mean = seconds(3), .reflash = true}, seconds(40));
    cluster.run_for(seconds(55));
    cluster.heal();
    EXPECT_THAT(settle(cluster, {.settles_within = minutes(1)}), IsEmpty());
  });
}

TEST(Crash, GatewayRightAfterItAcknowledged) {
  for_seeds(4, [](std::uint64_t seed) {
    ClusterOptions options = random_options(seed);
    options.crash_after_ack = 0.1;
    Cluster cluster(options);
    cluster.append_randomly(milliseconds(300), 20, seconds(40));
    cluster.run_for(seconds(60));
    cluster.heal();
    EXPECT_THAT(settle(cluster, {.settles_within = minutes(1)}), IsEmpty());
  });
}

TEST(Crash, DisksThatFail) {
  for_seeds(5, [](std::uint64_t seed) {
    ClusterOptions options = random_options(seed);
    add_disk_faults(options);
    Cluster cluster(options);
    cluster.append_randomly(milliseconds(300), 20, seconds(40));
    cluster.run_for(seconds(60));
    cluster.heal();
    EXPECT_THAT(settle(cluster, {.crashes = false, .settles_within = minutes(1)}), IsEmpty());
  });
}

// An agent's database goes again and again; each time it opens a new epoch and the fleet goes on.
TEST(Crash, ReflashedAgentsOpenNewEpochs) {
  for_seeds(4, [](std::uint64_t seed) {
    Cluster cluster(random_options(seed));
    cluster.append_randomly(milliseconds(200), 20, seconds(60));
    for (int n = 1; n <= 4; ++n) {
      cluster.after(seconds(10 * n), [&, n] {
        const std::size_t agent = 1 + static_cast<std::size_t>(n) % (cluster.size() - 1);
        cluster.reflash(agent);
        cluster.after(seconds(1), [&cluster, agent] { cluster.start(agent); });
      });
    }
    cluster.run_for(seconds(60));
    EXPECT_THAT(settle(cluster, {.settles_within = minutes(1)}), IsEmpty());
  });
}

// The gateway's own database goes: agents give everything that they still have once more.
TEST(Crash, GatewayThatLostItsDatabase) {
  for_seeds(3,
            [](std::uint64_t seed) {
              Cluster cluster(random_options(seed));
              cluster.append_randomly(milliseconds(200), 20, seconds(40));
              cluster.run_for(seconds(20));
              cluster.reflash(Cluster::kGateway);
              cluster.after(seconds(2), [&] { cluster.start(Cluster::kGateway); });
              cluster.run_for(seconds(20));
              EXPECT_THAT(settle(cluster, {.crashes = false, .settles_within = seconds(10)}),
                          IsEmpty());
            },
            {10});
}

// Some brokers forget retained messages: agents are then known by their traffic alone.
TEST(Crash, GatewayThatMissesEveryHello) {
  for_seeds(3, [](std::uint64_t seed) {
    Cluster cluster(random_options(seed));
    cluster.append_randomly(milliseconds(200), 20, seconds(40));
    cluster.run_for(seconds(10));
    cluster.crash(Cluster::kGateway);
    cluster.run_for(seconds(20));
    cluster.bus().forget_retained();
    cluster.start(Cluster::kGateway);
    cluster.run_for(seconds(10));
    EXPECT_THAT(settle(cluster, {.crashes = false, .settles_within = minutes(1)}), IsEmpty());
  });
}

}  // namespace
}  // namespace dunlin::simulation
