// Bytes that nobody should have sent: refused, counted, and nothing else disturbed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "common/codec/segment_codec.h"
#include "common/log/chain.h"
#include "common/runtime/topics.h"
#include "tests/simulation/scenario.h"
#include "tests/simulation/seeds.h"

namespace dunlin::simulation {
namespace {

using namespace replication;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::IsEmpty;

std::string topic_of(TopicClass topic, const NodeId& node, const NodeId& reader = {}) {
  return runtime::topic_name("sim", "cell", topic, node, reader);
}

std::uint64_t refused(Cluster& cluster, std::size_t node) {
  std::uint64_t total = 0;
  for (const auto& [reason, count] : cluster.node(node).replica().stats().refused) total += count;
  return total;
}

Bytes enveloped(Message message) {
  return encode_envelope({Nonce{1}, 1, std::move(message)});
}

Bytes segments_message(const std::vector<SegmentRecord>& segments) {
  Segments message;
  for (const SegmentRecord& segment : segments) message.segments.push_back(segment.bytes);
  return enveloped(std::move(message));
}

// `count` entries behind `before`, as somebody with `signer` would make them.
std::vector<SegmentRecord> forge(const LogId& log, Seq first, Hash before, int count, Seq needs,
                                 Signer& signer, std::uint64_t salt) {
  std::vector<SegmentRecord> out;
  for (int n = 0; n < count; ++n) {
    const Seq seq = first + static_cast<Seq>(n);
    Entry entry{seq, Hlc::of(salt + seq, 0), {TimeAnchor{1, "forged", 1, 1, 1}}};
    Chain chain;
    const Hash after = chain.add(std::move(entry), before).value().after;
    auto built = build_segments(log, before, needs, chain, signer);
    EXPECT_TRUE(built.ok());
    before = after;
    out.push_back(built->front());
  }
  return out;
}

class Intruder {
 public:
  Intruder(Cluster& cluster, std::uint64_t seed) : cluster_(cluster), random_(seed) {
    cluster_.watch([this](std::size_t, const Output& output) {
      if (const auto* send = std::get_if<Send>(&output); send && random_.below(3) == 0) {
        if (heard_.size() < 300)
          heard_.push_back(send->payload);
        else
          heard_[random_.below(heard_.size())] = send->payload;
      }
    });
  }

  // Anything to anybody, at random.
  void send() {
    const NodeId& node = cluster_.node(random_.below(cluster_.size())).id();
    constexpr TopicClass kTopics[] = {TopicClass::hello, TopicClass::gate, TopicClass::gossip,
                                      TopicClass::live,  TopicClass::bulk, TopicClass::inbox};
    const NodeId& reader = cluster_.node(random_.below(cluster_.size())).id();
    cluster_.inject(topic_of(kTopics[random_.below(std::size(kTopics))], node, reader), payload());
  }

 private:
  Bytes payload() {
    Bytes bytes(1 + random_.below(400));
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random_.next());
    if (heard_.empty() || random_.below(5) == 0) return bytes;
    bytes = heard_[random_.below(heard_.size())];
    switch (random_.below(4)) {
      case 0:
        return bytes;  // again, or in another's place
      case 1:
        return Bytes(bytes.begin(),
                     bytes.begin() + static_cast<std::ptrdiff_t>(random_.below(bytes.size())));
      case 2:
        bytes.push_back(0);
        return bytes;
      default:
        for (std::uint64_t n = 1 + random_.below(3); n > 0; --n) {
          bytes[random_.below(bytes.size())] ^= static_cast<std::uint8_t>(1 << random_.below(8));
        }
        return bytes;
    }
  }

  Cluster& cluster_;
  Random random_;
  std::vector<Bytes> heard_;
};

TEST(Hostile, NoiseAndMutatedMessages) {
  for_seeds(6, [](std::uint64_t seed) {
    Cluster cluster(random_options(seed));
    Intruder intruder(cluster, seed);
    cluster.append_randomly(milliseconds(200), 20, seconds(30));
    for (int n = 0; n < 3000; ++n) cluster.after(milliseconds(10 * n), [&] { intruder.send(); });
    cluster.run_for(seconds(35));
    EXPECT_GT(refused(cluster, Cluster::kGateway), 100u);
    EXPECT_GT(refused(cluster, 1), 10u);
    EXPECT_THAT(settle(cluster, {.crashes = false, .settles_within = minutes(1)}), IsEmpty());
  });
}

// A Hello with another's name needs another's key.
TEST(Hostile, HelloOfAnotherNode) {
  Cluster cluster(ClusterOptions{});
  cluster.run_for(seconds(2));
  const auto stranger = fixed_key(99);
  for (const bool own_key_inside : {false, true}) {
    SimNode& victim = cluster.node(1);
    Hello hello{.node = victim.id(),
                .public_key = own_key_inside ? stranger->public_key() : victim.key().public_key(),
                .name = "forged",
                .state = NodeState::down,
                .heads = {},
                .capabilities = {},
                .nonce = Nonce{7},
                .counter = 1000};
    hello.signature = *stranger->sign(hello_statement(hello));
    const std::uint64_t before = refused(cluster, Cluster::kGateway);
    cluster.inject(topic_of(TopicClass::hello, victim.id()), enveloped(hello));
    cluster.run_for(seconds(1));
    EXPECT_EQ(refused(cluster, Cluster::kGateway), before + 1);
  }
  cluster.append_randomly(milliseconds(200), 20, seconds(10));
  cluster.run_for(seconds(10));
  EXPECT_THAT(settle(cluster, {.crashes = false, .settles_within = minutes(1)}), IsEmpty());
}

// Segments in an agent's name that it did not sign, before and after the gateway knows its key.
TEST(Hostile, SegmentsSignedByAnotherKey) {
  for (const bool before_the_key_is_known : {true, false}) {
    ClusterOptions options;
    Cluster cluster(options);
    SimNode& victim = cluster.node(1);
    if (before_the_key_is_known) {
      cluster.crash(1);
      cluster.run_for(seconds(1));
      cluster.reflash(Cluster::kGateway);
      cluster.start(Cluster::kGateway);
    }
    cluster.run_for(seconds(2));
    const auto stranger = fixed_key(99);
    const Epoch epoch = victim.contents()->epoch;
    for (const Epoch& of : {epoch, Epoch{4711}}) {
      for (const std::uint64_t track : {1U, 0U}) {
        for (const Seq needs : {0U, 1U, 1000U}) {
          if (track == 0 && needs > 0) continue;
          const LogId log{victim.id(), of, Track{track}};
          const auto forged = forge(log, 1, chain_start(log), 2, needs, *stranger, 1);
          cluster.inject(topic_of(TopicClass::live, victim.id()), segments_message(forged));
        }
      }
    }
    cluster.run_for(seconds(1));
    EXPECT_GE(refused(cluster, Cluster::kGateway), 2u);
    cluster.start(1);
    cluster.append_randomly(milliseconds(200), 20, seconds(10));
    cluster.run_for(seconds(10));
    EXPECT_THAT(settle(cluster, {.crashes = false, .settles_within = minutes(1)}), IsEmpty());
  }
}

// A clone with the node's own key writes other entries under the same numbers: recorded, told, and
// the rest of the fleet goes on without much ado.
TEST(Hostile, ForkMadeWithTheNodesOwnKey) {
  for_seeds(4, [](std::uint64_t seed) {
    Cluster cluster(random_options(seed));
    cluster.append_randomly(milliseconds(200), 20, seconds(40));
    cluster.run_for(seconds(20));
    SimNode& victim = cluster.node(1);
    const LogId log{victim.id(), victim.replica().epoch(), kSamplesTrack};
    std::optional<LogState> state;
    const auto own = victim.contents();
    for (const LogState& each : own->logs) {
      if (each.id() == log) state = each;
    }
    ASSERT_TRUE(state && state->head() > 0);
    // One branch ahead of the node's own head, which the gateway takes first, and a late other
    // entry.
    const auto ahead = forge(log, state->head() + 1, state->head_hash(), 3, 1, victim.key(), seed);
    const auto behind = forge(log, 1, chain_start(log), 1, 1, victim.key(), seed);
    cluster.inject(topic_of(TopicClass::live, victim.id()), segments_message(ahead));
    cluster.inject(topic_of(TopicClass::live, victim.id()), segments_message(behind));
    cluster.inject(topic_of(TopicClass::live, victim.id()), segments_message(behind));
    cluster.run_for(seconds(25));

    const std::uint64_t fetches = cluster.sent(Cluster::kGateway, "fetch");
    const std::uint64_t forks = *cluster.gateway().store()->fork_count();
    EXPECT_GE(forks, 1u);
    cluster.run_for(minutes(10));
    EXPECT_LE(cluster.sent(Cluster::kGateway, "fetch") - fetches, 20u) << "the gateway spins";
    // A branch that won moved what was stored, be it more; there is evidence of all that was told.
    const std::uint64_t kept = *cluster.gateway().store()->fork_count();
    EXPECT_LE(kept, std::max<std::uint64_t>(forks, 16));
    EXPECT_GE(cluster.gateway().replica().stats().forks, 1u);
    EXPECT_LE(cluster.gateway().replica().stats().forks, kept);

    // Everybody else converges: the forked node's readings and states are not asked for.
    std::map<LogId, LogState> merged;
    const auto held = cluster.gateway().contents();
    for (const LogState& each : held->logs) merged[each.id()] = each;
    for (std::size_t i = 2; i < cluster.size(); ++i) {
      const auto contents = cluster.node(i).contents();
      for (const LogState& each : contents->logs) {
        if (each.id().node != cluster.node(i).id()) continue;
        EXPECT_EQ(merged[each.id()].head(), each.head());
        EXPECT_EQ(merged[each.id()].missing_count(), 0u);
      }
    }
    EXPECT_THAT(cluster.problems(), IsEmpty());
  });
}

}  // namespace
}  // namespace dunlin::simulation
