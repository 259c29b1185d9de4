// The fleet converges whatever the bus does, and is quiet when there is nothing to do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/simulation/scenario.h"
#include "tests/simulation/seeds.h"

namespace dunlin::simulation {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::IsEmpty;

// Where nothing is lost, what is pushed is all that is needed.
TEST(Replication, PerfectBus) {
  for_seeds(4, [](std::uint64_t seed) {
    ClusterOptions options = random_options(seed);
    options.uplink.window_bytes = 20 * 1024;
    options.link = {.delay_min = milliseconds(1), .delay_max = milliseconds(1)};
    Cluster cluster(options);
    cluster.run_for(seconds(2));
    const std::uint64_t fetches = cluster.sent(Cluster::kGateway, "fetch");
    cluster.append_randomly(milliseconds(200), 20, seconds(40));
    cluster.run_for(seconds(40));
    EXPECT_EQ(cluster.sent(Cluster::kGateway, "fetch"), fetches);
    for (std::size_t i = 1; i < cluster.size(); ++i) {
      EXPECT_EQ(cluster.node(i).replica().stats().live_skipped, 0u);
    }
    EXPECT_THAT(settle(cluster, {.crashes = false, .settles_within = seconds(10)}), IsEmpty());
  });
}

TEST(Replication, LossDuplicationReordering) {
  for_seeds(10, [](std::uint64_t seed) {
    ClusterOptions options = random_options(seed);
    add_bus_faults(options);
    Cluster cluster(options);
    cluster.append_randomly(milliseconds(200), 20, seconds(30));
    cluster.run_for(seconds(30));
    cluster.heal();
    EXPECT_THAT(settle(cluster, {.crashes = false, .settles_within = minutes(1)}), IsEmpty());
  });
}

// What was lost is fetched while the bus goes on losing.
TEST(Replication, ConvergesOnALossyBus) {
  for_seeds(
      6,
      [](std::uint64_t seed) {
        ClusterOptions options = random_options(seed);
        options.link.duplicate = 0.1;
        options.link.delay_max = milliseconds(300);
        Cluster cluster(options);
        cluster.run_for(seconds(2));  // everybody has met: a real broker does not lose a Hello
        options.link.loss = 0.1;
        cluster.bus().set_faults(options.link);
        cluster.append_randomly(milliseconds(100), 20, seconds(40));
        cluster.run_for(seconds(40));
        EXPECT_THAT(settle(cluster, {.crashes = false, .settles_within = minutes(3)}), IsEmpty());
      },
      {23, 27});
}

TEST(Replication, BacklogAfterAnOutage) {
  for_seeds(5, [](std::uint64_t seed) {
    ClusterOptions options = random_options(seed);
    options.origin.tracks.front().flush_readings = 400;
    Cluster cluster(options);
    cluster.run_for(seconds(2));
    cluster.stop_broker_for(minutes(2));
    cluster.append_randomly(seconds(1), 100, minutes(3));
    cluster.run_for(minutes(3));
    EXPECT_THAT(settle(cluster, {.crashes = false, .settles_within = minutes(1)}), IsEmpty());
  });
}

// An entry full of short runs of many streams keeps its size, however its readings are packed.
TEST(Replication, ManyStreamsInOneEntry) {
  ClusterOptions options;
  options.agents = 1;
  options.origin.tracks.front().flush_bytes = 48 * 1024;
  options.origin.tracks.front().flush_readings = 1000;
  options.origin.unwritten_bytes_max = 1024 * 1024;
  Cluster cluster(options);
  cluster.run_for(seconds(2));
  SimNode& agent = cluster.node(1);
  constexpr std::uint64_t kLarge = 1ULL << 60;  // takes all of its nine bytes
  for (std::uint64_t n = 0; n < 2500; ++n) {
    Sensors::Batch batch;
    Reading reading{"s" + std::to_string(n % 1200), (std::int64_t{1} << 60) + 1, true, {}};
    batch.append.schema.name = reading.stream;
    batch.append.rows = Rows(5);
    batch.append.since_boot = true;
    batch.append.rows.begin_row(reading.time);
    for (int f = 0; f < 5; ++f) {
      const std::int64_t value =
          f == 0 ? static_cast<std::int64_t>(kLarge + n) : static_cast<std::int64_t>(kLarge) + f;
      const std::string field = f == 0 ? "id" : "f" + std::to_string(f);
      batch.append.schema.fields.push_back({field, FieldType::int64, "", 0});
      batch.append.rows.add_integer(value);
      reading.values[field] = value;
    }
    batch.readings.emplace_back(kLarge + n, reading);
    ASSERT_TRUE(agent.append(std::move(batch)).ok());
    if (n % 1200 == 1199) cluster.run_for(seconds(6));
  }
  EXPECT_THAT(settle(cluster, {.crashes = false, .settles_within = minutes(1)}), IsEmpty());
}

// Equal on every machine and at every run, or no failure could be seen again.
TEST(Replication, SameSeedSameTranscript) {
  for_seeds(2, [](std::uint64_t seed) {
    const auto transcript = [&](std::uint64_t of) {
      ClusterOptions options = random_options(of);
      add_bus_faults(options);
      add_disk_faults(options);
      Cluster cluster(options);
      cluster.append_randomly(milliseconds(300), 10, seconds(15));
      cluster.cause_chaos({.reflash = true}, seconds(15));
      cluster.run_for(seconds(20));
      cluster.heal();
      cluster.run_for(seconds(20));
      return cluster.transcript();
    };
    EXPECT_EQ(transcript(seed), transcript(seed));
    EXPECT_NE(transcript(seed), transcript(seed + 1000));
  });
}

// Periods of 30 s double to 300 s: 2 h have room for 27 Vectors of each agent and as many answers.
TEST(Replication, IdleFleetIsQuiet) {
  for_seeds(3, [](std::uint64_t seed) {
    ClusterOptions options = random_options(seed);
    add_bus_faults(options);
    Cluster cluster(options);
    cluster.append_randomly(milliseconds(200), 10, seconds(10));
    cluster.cause_chaos({.reflash = true}, seconds(10));
    cluster.run_for(seconds(20));
    cluster.heal();
    ASSERT_THAT(settle(cluster, {}), IsEmpty());
    cluster.run_for(minutes(2));  // the last acknowledgements

    std::uint64_t vectors = 0, bytes = 0, others = 0;
    std::vector<Instant> last(cluster.size(), cluster.now());
    std::vector<int> too_soon(cluster.size());
    cluster.watch([&](std::size_t node, const replication::Output& output) {
      const auto* send = std::get_if<replication::Send>(&output);
      if (send == nullptr) return;
      bytes += send->payload.size();
      if (send->message != "vector") return void(others += 1);
      vectors += 1;
      if (node == Cluster::kGateway) return;
      too_soon[node] += cluster.now() - last[node] < seconds(30);
      last[node] = cluster.now();
    });
    cluster.run_for(hours(2));
    const std::uint64_t agents = cluster.size() - 1;
    EXPECT_LE(vectors, 2 * 27 * agents);
    EXPECT_GE(vectors, 2 * 20 * agents);
    EXPECT_LE(others, 30 * agents);  // Fetches of what a reflash left behind
    EXPECT_LE(bytes, 2 * 40 * 600 * agents);
    for (const int n : too_soon) EXPECT_LE(n, 1);
    EXPECT_THAT(cluster.problems(), IsEmpty());
  });
}

}  // namespace
}  // namespace dunlin::simulation
