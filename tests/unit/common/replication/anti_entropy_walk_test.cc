// Gateways that hold different logs find out which, and at what cost.
#include <iostream>

#include "common/log/limits.h"
#include "common/replication/anti_entropy.h"
#include "tests/unit/common/replication/gateway_net.h"

namespace dunlin::replication {
namespace {

using namespace test;
using namespace std::chrono_literals;

// Agents whose keys cost nothing.
Peer agent(std::uint64_t number) {
  return Peer(Role::agent, std::shared_ptr<Signer>(simulation::light_key(1000 + number)));
}

// Logs that are known without their bodies.
std::vector<LogState> numbered_logs(std::uint64_t count) {
  std::vector<LogState> logs;
  for (std::uint64_t n = 0; n < count; ++n) {
    LogId id{{}, Epoch{n}, kSamplesTrack};
    for (unsigned byte = 0; byte < 8; ++byte)
      id.node.bytes[byte] = static_cast<std::uint8_t>((n / 50) >> (8 * byte));
    const Hash hash = sha256(as_bytes(std::to_string(n)));
    logs.push_back(LogState::from_parts(id, {.runs = {{1, 10, {}, hash}},
                                             .lost = {},
                                             .released = {},
                                             .acked = {},
                                             .head = 10,
                                             .head_hash = hash,
                                             .sealed = {}}));
  }
  return logs;
}

class AntiEntropyWalkTest : public testing::Test {
 protected:
  using Gateway = GatewayNet::Gateway;

  // Two gateways of different cells, not linked yet.
  void add_two(std::uint64_t logs = 0) {
    one_ = &net_.add({"north", "_core"}, numbered_logs(logs));
    two_ = &net_.add({"south", "_core"}, numbered_logs(logs));
  }
  void link() {
    net_.link(*one_);
    net_.link(*two_);
  }
  // Whether the time comes when they tell each other that they hold the same, and nothing else.
  bool settles(Duration patience) {
    const auto different = [&] {
      return one_->replica->stats().vectors_different + two_->replica->stats().vectors_different;
    };
    const auto equal = [&] {
      return one_->replica->stats().vectors_equal + two_->replica->stats().vectors_equal;
    };
    for (const Instant end = net_.now().mono + patience; net_.now().mono < end;) {
      const auto different_before = different(), equal_before = equal();
      net_.pass(500s);
      if (different() == different_before && equal() > equal_before) return true;
    }
    return false;
  }
  std::vector<const GatewayNet::Message*> digests(Instant from) const {
    std::vector<const GatewayNet::Message*> found;
    for (const GatewayNet::Message& message : net_.sent) {
      if (message.at >= from && std::holds_alternative<Digest>(message.envelope.message))
        found.push_back(&message);
    }
    return found;
  }
  void lose_forwarded() {
    net_.loses = [](const GatewayNet::Message& message) {
      return message.topic == TopicClass::live || message.topic == TopicClass::bulk;
    };
  }

  GatewayNet net_;
  Gateway* one_ = nullptr;
  Gateway* two_ = nullptr;
};

TEST_F(AntiEntropyWalkTest, EitherFindsWhatTheOtherHas) {
  add_two();
  Peer north = agent(1), south = agent(2);
  net_.push(*one_, north, {north.open(), north.samples(3)});
  net_.push(*two_, south, {south.open(), south.samples(5)});
  link();
  EXPECT_TRUE(net_.pass_until(30s, [&] {
    return net_.held(*two_, north.log()).head() == 3 && net_.held(*one_, south.log()).head() == 5;
  }));
  EXPECT_TRUE(settles(500s));
}

// A log of which one has the beginning and the other the end.
TEST_F(AntiEntropyWalkTest, EitherFillsTheGapsOfTheOther) {
  add_two();
  Peer north = agent(1);
  const SegmentRecord open = north.open(), first = north.samples(3), middle = north.samples(3),
                      last = north.samples(3);
  net_.push(*one_, north, {open, first, middle});
  net_.push(*two_, north, {open, middle, last});
  link();
  EXPECT_TRUE(net_.pass_until(30s, [&] {
    return net_.held(*one_, north.log()).held().count() == 9 &&
           net_.held(*two_, north.log()).held().count() == 9;
  }));
}

TEST_F(AntiEntropyWalkTest, ManyDifferencesAreFoundOneMessageAfterAnother) {
  constexpr std::uint64_t kAgents = 400;
  add_two(2000);
  std::vector<Peer> agents;
  for (std::uint64_t n = 0; n < kAgents; ++n) {
    agents.push_back(agent(n));
    net_.push(n % 2 == 0 ? *one_ : *two_, agents.back(),
              {agents.back().open(), agents.back().samples()});
  }
  link();
  const auto all_there = [&] {
    return std::all_of(agents.begin(), agents.end(), [&](const Peer& each) {
      return net_.held(*one_, each.log()).head() == 1 && net_.held(*two_, each.log()).head() == 1;
    });
  };
  // One message finds some of it; what came of it is reason to look for more at once.
  EXPECT_TRUE(net_.pass_until(2min, all_there));
  std::size_t bytes = 0;
  for (const GatewayNet::Message* message : digests({})) {
    EXPECT_LE(message->bytes, 18u * 1024);
    bytes += message->bytes;
  }
  std::cout << 2 * kAgents << " of " << 2000 + 2 * kAgents << " logs were found with " << bytes
            << " bytes of digests\n";
  EXPECT_TRUE(settles(500s));
}

TEST_F(AntiEntropyWalkTest, FindsItOverABadNetwork) {
  add_two(500);
  std::vector<Peer> agents;
  for (std::uint64_t n = 0; n < 40; ++n) {
    agents.push_back(agent(n));
    net_.push(n % 2 == 0 ? *one_ : *two_, agents.back(),
              {agents.back().open(), agents.back().samples()});
  }
  net_.loses = [random = Random(3)](const GatewayNet::Message& message) mutable {
    return !is_retained(message.topic) && random.below(4) == 0;
  };
  link();
  EXPECT_TRUE(net_.pass_until(30min, [&] {
    return std::all_of(agents.begin(), agents.end(), [&](const Peer& each) {
      return net_.held(*one_, each.log()).head() == 1 && net_.held(*two_, each.log()).head() == 1;
    });
  }));
}

// ---- what it costs ----

TEST_F(AntiEntropyWalkTest, TheIdleDigestIsSmallHoweverManyLogsThereAre) {
  std::vector<std::size_t> sizes;
  for (const std::uint64_t logs : {0u, 100u, 10'000u}) {
    GatewayNet net;
    Gateway& one = net.add({"north", "_core"}, numbered_logs(logs));
    Gateway& two = net.add({"south", "_core"}, numbered_logs(logs));
    net.link(one), net.link(two);
    net.pass(5min);  // they have found each other's own logs
    net.sent.clear();
    net.pass(1h);
    std::size_t most = 0, count = 0;
    for (const GatewayNet::Message& message : net.sent) {
      const auto* digest = std::get_if<Digest>(&message.envelope.message);
      if (digest == nullptr) continue;
      EXPECT_TRUE(digest->places.empty() && digest->leaves.empty());
      most = std::max(most, message.bytes);
      count += 1;
    }
    sizes.push_back(most);
    // One of them in a period of 300 s and up to half of one more, not each.
    EXPECT_GE(count, 8u);
    EXPECT_LE(count, 13u);
  }
  std::cout << "an idle Digest has " << sizes.back() << " bytes\n";
  EXPECT_LE(sizes.back(), 100u);
  EXPECT_EQ(sizes[0], sizes[1]);
  EXPECT_EQ(sizes[0], sizes[2]);
}

TEST_F(AntiEntropyWalkTest, OneChangedLogOfManyIsFoundInAMessageForEachLevel) {
  constexpr std::uint64_t kLogs = 100'000 - 6;  // and those of the gateways and of the agent
  add_two(kLogs);
  Peer north = agent(1);
  const std::vector<SegmentRecord> both{north.open(), north.samples(3)};
  net_.push(*one_, north, both);
  net_.push(*two_, north, both);
  link();
  ASSERT_TRUE(settles(1000s));
  lose_forwarded();
  net_.push(*one_, north, {north.samples(2)});
  const Instant began = net_.now().mono;
  const auto fetched = [&] { return net_.held(*two_, north.log()).head() == 5; };
  ASSERT_TRUE(net_.pass_until(450s, fetched));
  // From the digest that was answered to the logs; before it others may have told of equal sets,
  // and afterwards it is said that all is well.
  std::size_t bytes = 0, messages = 0;
  Instant found{};
  for (const GatewayNet::Message* message : digests(began)) {
    const auto& digest = std::get<Digest>(message->envelope.message);
    for (const Digest::Leaf& leaf : digest.leaves) {
      for (const Digest::Log& log : leaf.logs) {
        if (log.item.log == north.log() && found == Instant{}) found = message->at;
      }
    }
  }
  ASSERT_NE(found, Instant{});
  for (const GatewayNet::Message* message : digests(began)) {
    if (message->at > found + 5ms) break;
    bytes += message->bytes, messages += 1;
  }
  std::cout << "found among " << kLogs + 6 << " logs with " << messages << " messages of " << bytes
            << " bytes\n";
  EXPECT_LE(bytes, 1536u);
  EXPECT_LE(messages, 7u);  // the question, a place for each of five levels, the logs
  EXPECT_TRUE(settles(1000s));
}

// The silence of those who heard what they would have said is what keeps it so.
TEST_F(AntiEntropyWalkTest, OfManyGatewaysOneSpeaksInAPeriod) {
  for (int i = 0; i < 8; ++i) net_.link(net_.add({"c" + std::to_string(i), "_core"}));
  net_.pass(10min);
  net_.sent.clear();
  net_.pass(1h);
  EXPECT_GE(digests({}).size(), 8u);
  EXPECT_LE(digests({}).size(), 20u);
}

// ---- what could go on for ever ----

// One let it go by rule before the other came, and nobody else has it.
TEST_F(AntiEntropyWalkTest, WhatIsNowhereIsNoTrafficForEver) {
  const LogId id{{}, Epoch{1}, kSamplesTrack};
  const auto from_six_on = [&](IntervalSet released) {
    return LogState::from_parts(id, {.runs = {{6, 10, {}, {}}},
                                     .lost = {},
                                     .released = std::move(released),
                                     .acked = {},
                                     .head = 10,
                                     .head_hash = {},
                                     .sealed = {}});
  };
  IntervalSet first_five;
  first_five.insert({1, 5});
  one_ = &net_.add({"north", "_core"}, {from_six_on(first_five)});
  two_ = &net_.add({"south", "_core"}, {from_six_on({})});
  link();
  net_.pass(1h);
  net_.sent.clear();
  net_.pass(1h);
  std::size_t begun = 0;
  for (const GatewayNet::Message* message : digests({})) {
    const Digest& digest = std::get<Digest>(message->envelope.message);
    begun += message->topic == TopicClass::gossip && digest.places.empty() && digest.leaves.empty();
  }
  EXPECT_GE(begun, 12u) << "it is looked for all the same";
  EXPECT_LE(begun, 24u);
  for (const NodeStatus& node : two_->replica->status(net_.now())) {
    for (const LogStatus& log : node.logs) {
      EXPECT_EQ(log.missing_entries, 0u);
      EXPECT_EQ(log.released_entries, log.log == id ? 5u : 0u);
    }
  }
}

// A log in many pieces does not make a message that nobody takes.
TEST_F(AntiEntropyWalkTest, LogsInManyPiecesFitIntoMessages) {
  std::vector<LogState> logs;
  for (std::uint64_t n = 0; n < 40; ++n) {
    LogState::Parts parts;
    for (Seq seq = 1; seq < 8000; seq += 2) parts.runs.push_back({seq, seq, {}, {}});
    parts.head = parts.runs.back().last;
    logs.push_back(LogState::from_parts({{}, Epoch{n}, kSamplesTrack}, std::move(parts)));
  }
  one_ = &net_.add({"north", "_core"}, logs);
  two_ = &net_.add({"south", "_core"});
  link();
  net_.pass(10min);
  std::size_t listed = 0;
  for (const GatewayNet::Message* message : digests({})) {
    EXPECT_LE(message->bytes, kMessageBytesMax);
    for (const Digest::Leaf& leaf : std::get<Digest>(message->envelope.message).leaves)
      listed += leaf.logs.size();
  }
  EXPECT_GE(listed, 40u);
}

}  // namespace
}  // namespace dunlin::replication
