// What is measured now arrives now, however much there is to catch up with.
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

// How long each entry of a samples track took from its cut to the gateway's disk, by when that was.
class Latencies {
 public:
  explicit Latencies(Cluster& cluster) : cluster_(cluster) {
    cluster.watch([this](std::size_t node, const replication::Output& output) {
      const auto* write = std::get_if<replication::Write>(&output);
      if (write != nullptr && node >= cluster_.first_agent()) {
        for (const SegmentRecord& segment : write->segments) {
          for (Seq seq = segment.info.first; seq <= segment.info.last; ++seq)
            cut_[segment.info.log].try_emplace(seq, cluster_.now());
        }
      }
      if (const auto* stored = std::get_if<replication::Replicated>(&output)) {
        for (Seq seq = stored->last + 1 - stored->entries; seq <= stored->last; ++seq)
          stored_[stored->log].try_emplace(seq, cluster_.now());
      }
    });
  }

  struct Worst {
    Duration latency{0};
    std::size_t entries = 0;
  };
  // Of the entries that were cut at `from` or later.
  Worst since(Instant from) const {
    Worst worst;
    for (const auto& [log, cuts] : cut_) {
      if (log.track == kControlTrack || !stored_.contains(log)) continue;
      for (const auto& [seq, at] : cuts) {
        const auto stored = stored_.at(log).find(seq);
        if (at < from || stored == stored_.at(log).end()) continue;
        worst.latency = std::max(worst.latency, stored->second - at);
        worst.entries += 1;
      }
    }
    return worst;
  }

 private:
  Cluster& cluster_;
  std::map<LogId, std::map<Seq, Instant>> cut_;
  std::map<LogId, std::map<Seq, Instant>> stored_;
};

// A reading of a stream whose definition never changes; `n` tells it from all others.
void append_one(SimNode& agent, std::uint64_t n) {
  Sensors::Batch batch;
  const auto id = static_cast<std::int64_t>((std::uint64_t{1} << 60) + n);
  batch.append.schema = {"live", {{"id", FieldType::int64, "", 0}}};
  batch.append.since_boot = true;
  batch.append.rows = Rows(1);
  batch.append.rows.begin_row(id);
  batch.append.rows.add_integer(id);
  batch.readings.emplace_back(static_cast<std::uint64_t>(id),
                              Reading{"live", id, true, {{"id", id}}});
  ASSERT_TRUE(agent.append(std::move(batch)).ok());
  agent.step(replication::Flush{});
}

// Eight agents have more to tell than the gateway's disk can take for a while: it gives them credit
// late. What they measure meanwhile waits for the round of the disk that is under way, and its own.
TEST(LiveFirst, ASlowGatewaySlowsTheBacklogAlone) {
  for_seeds(2, [](std::uint64_t seed) {
    ClusterOptions options;
    options.seed = seed;
    options.agents = 8;
    options.light = true;
    options.origin.tracks.front().flush_readings = 400;
    options.gateway_disk = {
        .delay_min = milliseconds(200), .delay_max = milliseconds(200), .per_mebibyte = seconds(4)};
    constexpr Duration kRound = milliseconds(200 + 4000 / 4 + 100);  // 256 KiB of the bulk lane
    Cluster cluster(options);
    cluster.run_for(seconds(2));
    cluster.crash(Cluster::kGateway);
    cluster.append_randomly(milliseconds(100), 250, minutes(1));
    cluster.run_for(minutes(1) + seconds(10));
    std::size_t backlog = 0;
    for (std::size_t i = cluster.first_agent(); i < cluster.size(); ++i) {
      append_one(cluster.node(i), 100 * i);
      SimStore& store = *cluster.node(i).store();
      for (const LogId& log : store.logs()) backlog += store.log_bytes(log);
    }
    ASSERT_GT(backlog, 4u << 20);

    const Latencies latencies(cluster);
    const Instant begin = cluster.now();
    cluster.start(Cluster::kGateway);
    cluster.run_for(seconds(5));  // all have met, and the gateway knows all definitions
    const Instant met = cluster.now();
    for (std::uint64_t n = 1; n <= 40; ++n) {
      cluster.after(milliseconds(250 * n), [&cluster, n] {
        for (std::size_t i = cluster.first_agent(); i < cluster.size(); ++i)
          append_one(cluster.node(i), 100 * i + n);
      });
    }
    cluster.run_for(seconds(13));
    EXPECT_FALSE(converged(cluster)) << "the backlog was over too soon";
    const Latencies::Worst worst = latencies.since(met);
    EXPECT_EQ(worst.entries, 320u);
    EXPECT_LT(worst.latency, 2 * kRound);
    ASSERT_TRUE(cluster.run_until([&] { return converged(cluster); }, minutes(5)));
    EXPECT_GT(cluster.now() - begin, seconds(4) * (backlog >> 20));
    EXPECT_LT(cluster.gateway().writing_bytes_peak(),
              options.agents * (2 * options.receiver.chunk_bytes + 128 * 1024));
    EXPECT_THAT(settle(cluster, {.crashes = false, .settles_within = minutes(1)}), IsEmpty());
  });
}

// A device that is full drops its oldest entries while its gateway, which was away, fetches the
// newest. A share of what is sent is the oldest: they are gone before their turn otherwise.
TEST(LiveFirst, AShareForTheOldestKeepsItFromBeingDropped) {
  ClusterOptions options;
  options.agents = 1;
  options.light = true;
  options.space_every = seconds(1);
  options.origin.storage_bytes_max = 2 << 20;
  options.origin.tracks.front().flush_readings = 400;
  options.gateway_disk = {
      .delay_min = milliseconds(200), .delay_max = milliseconds(200), .per_mebibyte = seconds(20)};
  Cluster cluster(options);
  cluster.run_for(seconds(2));
  cluster.crash(Cluster::kGateway);
  cluster.append_randomly(milliseconds(300), 100, minutes(12));
  SimNode& agent = cluster.node(cluster.first_agent());
  const auto lost = [&] { return agent.replica().stats().lost_entries.at("drop_oldest"); };
  ASSERT_TRUE(cluster.run_until([&] { return !agent.replica().stats().lost_entries.empty(); },
                                minutes(10)));
  const std::uint64_t before = lost();
  cluster.start(Cluster::kGateway);
  ASSERT_TRUE(cluster.run_until([&] { return converged(cluster); }, minutes(10)));
  EXPECT_LT(lost() - before, 10u);  // 42 without a share
  EXPECT_THAT(settle(cluster, {.losses = true, .crashes = false, .settles_within = minutes(1)}),
              IsEmpty());
}

}  // namespace
}  // namespace dunlin::simulation
