// The disk bound: what goes, what is refused, what is said about it.
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

constexpr std::uint64_t kBound = 160 * 1024;

ClusterOptions bounded_options(std::uint64_t seed, Overflow overflow) {
  ClusterOptions options = random_options(seed);
  options.agents = 2;
  options.space_every = seconds(1);
  options.origin.storage_bytes_max = kBound;
  for (replication::TrackPolicy& policy : options.origin.tracks) {
    policy.flush_readings = 400;
    policy.overflow = overflow;
  }
  return options;
}

// Looks once a second, for `length`, whether every agent's database keeps its bound.
void watch_sizes(Cluster& cluster, Duration length) {
  const Instant end = cluster.now() + length;
  while (cluster.now() < end) {
    cluster.run_for(seconds(1));
    for (std::size_t i = 1; i < cluster.size(); ++i) {
      if (cluster.node(i).store() == nullptr) continue;
      const std::uint64_t bytes = cluster.node(i).store()->used_bytes().value();
      // Between two looks a second's readings come on top.
      ASSERT_LT(bytes, kBound + kBound / 4) << "agent " << i;
    }
  }
}

std::uint64_t lost_entries(Cluster& cluster) {
  std::uint64_t lost = 0;
  const auto contents = cluster.gateway().contents();
  for (const LogState& state : contents->logs) lost += state.lost().count();
  return lost;
}

TEST(StorageBound, DropsTheOldestAndSaysSo) {
  for_seeds(4, [](std::uint64_t seed) {
    Cluster cluster(bounded_options(seed, Overflow::drop_oldest));
    cluster.append_randomly(milliseconds(500), 150, minutes(3));
    cluster.run_for(seconds(10));
    cluster.stop_broker_for(minutes(2) + seconds(30));
    ASSERT_NO_FATAL_FAILURE(watch_sizes(cluster, minutes(3)));
    EXPECT_THAT(settle(cluster, {.losses = true, .crashes = false, .settles_within = minutes(1)}),
                IsEmpty());
    EXPECT_GT(lost_entries(cluster), 0u);
  });
}

void drop_among_faults(std::uint64_t seed, Overflow overflow) {
  ClusterOptions options = bounded_options(seed, overflow);
  add_bus_faults(options);
  add_disk_faults(options);
  Cluster cluster(options);
  cluster.append_randomly(milliseconds(500), 100, minutes(3));
  cluster.cause_chaos({.mean = seconds(5)}, minutes(3));
  cluster.run_for(minutes(1));
  cluster.partition_for(Cluster::kGateway, minutes(2));
  cluster.run_for(minutes(2) + seconds(20));
  cluster.heal();
  EXPECT_THAT(settle(cluster, {.losses = true, .settles_within = minutes(1)}), IsEmpty());
}

TEST(StorageBound, DropsTheOldestAmongFaults) {
  for_seeds(5, [](std::uint64_t seed) { drop_among_faults(seed, Overflow::drop_oldest); });
}

TEST(StorageBound, DropsAlternateAmongFaults) {
  for_seeds(4, [](std::uint64_t seed) { drop_among_faults(seed, Overflow::drop_alternate); });
}

// What is old grows thin: the gateway gets readings of all the time that it was away for.
TEST(StorageBound, ThinsTheOlderHalf) {
  for_seeds(4, [](std::uint64_t seed) {
    ClusterOptions options = bounded_options(seed, Overflow::drop_alternate);
    options.agents = 1;
    options.light = true;
    for (replication::TrackPolicy& policy : options.origin.tracks) policy.flush_readings = 25;
    Cluster cluster(options);
    cluster.append_randomly(milliseconds(500), 150, minutes(4));
    cluster.run_for(seconds(10));
    cluster.stop_broker_for(minutes(4));
    ASSERT_NO_FATAL_FAILURE(watch_sizes(cluster, minutes(4)));
    EXPECT_THAT(settle(cluster, {.losses = true, .crashes = false, .settles_within = minutes(1)}),
                IsEmpty());
    const auto contents = cluster.gateway().contents();
    ASSERT_TRUE(contents.ok());
    std::size_t thinned = 0;
    for (const LogState& state : contents->logs) {
      if (state.lost().empty() || state.lost().count() < 8) continue;
      thinned += 1;
      EXPECT_GT(state.lost().intervals().size(), 1u);
      EXPECT_LE(state.lost().intervals().size(), 17u);
      // The newer half of what the device can hold is whole.
      const Seq whole = state.head() - state.held().count() / 3;
      for (const Interval& gap : state.lost().intervals()) EXPECT_LT(gap.last, whole);
    }
    EXPECT_GT(thinned, 0u);
  });
}

TEST(StorageBound, RefusesNewUntilThereIsRoom) {
  for_seeds(4, [](std::uint64_t seed) {
    Cluster cluster(bounded_options(seed, Overflow::refuse_new));
    cluster.run_for(seconds(3));
    cluster.stop_broker_for(minutes(5));
    std::uint64_t accepted = 0, refused = 0;
    const auto append = [&] {
      const Result<void> taken = cluster.node(1).append(150);
      EXPECT_TRUE(taken.ok() || taken.error().code == Errc::storage_full)
          << taken.error().message();
      (taken.ok() ? accepted : refused) += 1;
    };
    for (int n = 0; n < 600; ++n) cluster.after(milliseconds(500 * n), append);
    ASSERT_NO_FATAL_FAILURE(watch_sizes(cluster, minutes(5)));
    EXPECT_GT(accepted, 0u);
    EXPECT_GT(refused, 20u);
    ASSERT_TRUE(cluster.run_until([&] { return converged(cluster); }, minutes(2)));
    cluster.run_for(seconds(5));
    refused = 0;
    for (int n = 0; n < 40; ++n) cluster.after(milliseconds(500 * n), append);
    cluster.run_for(seconds(30));
    EXPECT_EQ(refused, 0u) << "acknowledged entries did not make room";
    EXPECT_THAT(settle(cluster, {.crashes = false, .settles_within = minutes(1)}), IsEmpty());
  });
}

// Every other entry is held by a gateway: what is lost lies in more pieces than one entry can name.
// The light store leaves segments as they are; compaction would have made one of what nobody holds.
TEST(StorageBound, LossesInManyPieces) {
  ClusterOptions options;
  options.agents = 1;
  options.light = true;
  options.origin.storage_bytes_max = 1024 * 1024;
  options.origin.tracks.front().flush_readings = 1;
  Cluster cluster(options);
  cluster.run_for(seconds(2));
  cluster.crash(Cluster::kGateway);
  cluster.bus().partition("gateway");
  SimNode& agent = cluster.node(1);
  constexpr Seq kEntries = 1600;
  for (int n = 0; n < 1600; ++n)
    cluster.after(milliseconds(10 * n), [&] { (void)agent.append(1); });
  cluster.run_for(seconds(20));
  replication::Ack ack{agent.id(), agent.instance(), {}, {}};
  const LogId log{agent.id(), agent.replica().epoch(), kSamplesTrack};
  const auto before = agent.contents();
  ASSERT_TRUE(before.ok());
  for (const LogState& state : before->logs) {
    if (state.id() != log) continue;
    ASSERT_EQ(state.head(), kEntries);
    ack.logs.push_back({.log = log, .head = kEntries, .hash = state.head_hash(), .missing = {}});
  }
  for (Seq seq = 1; seq <= kEntries; seq += 2) ack.logs.front().missing.insert({seq, seq});
  replication::Envelope envelope{cluster.gateway().instance(), 1'000'000, {}};
  const Bytes statement = ack_statement(cluster.gateway().id(), ack, envelope);
  ack.signature = cluster.gateway().key().sign(statement).value();
  cluster.audit().claimed(Cluster::kGateway, ack.logs.front());
  envelope.message = std::move(ack);
  agent.step(replication::Received{replication::TopicClass::inbox, cluster.gateway().id(),
                                   replication::encode_envelope(envelope)});
  replication::StorageUsed used{.bytes = 64 * 1024 * 1024, .disk_free = 1, .own = {{log, 1}}};
  agent.step(used);
  cluster.run_for(seconds(5));
  const auto contents = agent.contents();
  ASSERT_TRUE(contents.ok());
  ASSERT_EQ(contents->own_lost.size(), 1u);
  std::uint64_t readings = 0;
  for (const LostRange& range : contents->own_lost.front().ranges) readings += range.readings;
  EXPECT_EQ(readings, kEntries / 2);
  EXPECT_THAT(cluster.problems(), IsEmpty());
}

// Retention wants the oldest gone all the time: what no gateway holds stays.
TEST(StorageBound, RetiresOnlyWhatIsAcknowledged) {
  for_seeds(4, [](std::uint64_t seed) {
    ClusterOptions options = random_options(seed);
    add_bus_faults(options);
    add_disk_faults(options);
    Cluster cluster(options);
    cluster.append_randomly(milliseconds(200), 20, seconds(60));
    cluster.cause_chaos({.mean = seconds(4)}, seconds(60));
    for (int n = 0; n < 60; ++n) {
      cluster.after(seconds(n), [&] {
        for (std::size_t i = 1; i < cluster.size(); ++i) {
          SimNode& agent = cluster.node(i);
          if (!agent.up()) continue;
          for (const LogId& log : agent.store()->logs()) {
            if (log.track == kControlTrack) continue;
            auto old = agent.store()->oldest(log, 20'000);
            if (old.ok()) agent.step(replication::Retire{*std::move(old)});
          }
        }
      });
    }
    cluster.run_for(seconds(75));
    cluster.heal();
    EXPECT_THAT(settle(cluster, {.settles_within = minutes(1)}), IsEmpty());
  });
}

// What the gateway's own retention removed is neither missing nor fetched again.
TEST(StorageBound, GatewayRetires) {
  for_seeds(2, [](std::uint64_t seed) {
    Cluster cluster(random_options(seed));
    cluster.append_randomly(milliseconds(200), 20, seconds(30));
    cluster.run_for(seconds(40));
    ASSERT_TRUE(cluster.run_until([&] { return converged(cluster); }, seconds(30)));
    auto old = cluster.gateway().store()->first_arrived(20'000);
    ASSERT_TRUE(old.ok());
    ASSERT_FALSE(old->empty());
    cluster.gateway().step(replication::Retire{*old});
    cluster.run_for(seconds(5));
    const std::uint64_t fetches = cluster.sent(Cluster::kGateway, "fetch");
    cluster.crash_for(Cluster::kGateway, seconds(1));
    cluster.run_for(minutes(10));
    EXPECT_EQ(cluster.sent(Cluster::kGateway, "fetch"), fetches);
    EXPECT_TRUE(converged(cluster));
    EXPECT_THAT(cluster.problems(), IsEmpty());
    for (const OldSegment& segment : *old) {
      const auto stored =
          cluster.gateway().store()->read(segment.release.log, segment.release.interval, 1);
      EXPECT_TRUE(stored.ok() && stored->empty());
    }
  });
}

}  // namespace
}  // namespace dunlin::simulation
