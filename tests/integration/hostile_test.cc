// A client that publishes nonsense to every topic of a running fleet: refused, counted, told of
// once, and nothing else is disturbed.
#include <gtest/gtest.h>

#include <random>
#include <sstream>

#include "common/codec/segment_codec.h"
#include "common/log/chain.h"
#include "common/replication/envelope.h"
#include "common/security/keys.h"
#include "tests/support/eventually.h"
#include "tests/support/fleet.h"
#include "tests/support/publisher.h"

namespace dunlin {
namespace {

using replication::encode_envelope;
using replication::Hello;
using replication::Segments;
using replication::UnknownMessage;
using test::Fleet;
using test::Member;

class Stranger {
 public:
  explicit Stranger(const std::string& url) : publisher_(url, "stranger") {}
  void say(const std::string& topic, const Bytes& payload, bool retain = false) {
    EXPECT_TRUE(publisher_.say("dunlin/v1/default/default/" + topic, payload, retain)) << topic;
  }

 private:
  test::Publisher publisher_;
};

// A node of its own with a log of two entries.
struct Forger {
  std::unique_ptr<security::NodeKey> key = std::move(security::NodeKey::generate()).value();
  LogId log{key->node(), Epoch{1}, kControlTrack};
  Nonce nonce{4711};
  std::uint64_t counter = 0;

  Bytes wrap(replication::Message message) {
    return encode_envelope({nonce, ++counter, std::move(message)});
  }

  Bytes segment() {
    Chain entries;
    EXPECT_TRUE(entries
                    .add({1, Hlc::of(1'767'225'600'000, 0), {Open{key->public_key(), "forger"}}},
                         chain_start(log))
                    .ok());
    const auto built = build_segments(log, chain_start(log), 0, entries, *key);
    return *built->front().bytes;
  }
  Bytes segments(const Bytes& segment) {
    return wrap(Segments{.segments = {std::make_shared<const Bytes>(segment)}});
  }
  Bytes hello() {
    Hello hello;
    hello.node = key->node();
    hello.public_key = key->public_key();
    hello.name = "forger";
    hello.nonce = nonce;
    hello.counter = counter + 1;
    hello.signature = *key->sign(hello_statement(hello));
    return wrap(hello);
  }
};

Bytes noise(std::size_t size) {
  std::mt19937 random(3);
  Bytes bytes(size);
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random());
  return bytes;
}

std::string numbers(std::int64_t first, std::int64_t last) {
  std::string lines;
  for (std::int64_t n = first; n <= last; ++n) lines += "numbers n=" + std::to_string(n) + "i\n";
  return lines;
}

double refused(const Member& member) {
  double sum = 0;
  std::istringstream lines(member.get("/metrics").body);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("dunlin_messages_refused_total{"))
      sum += std::atof(line.substr(line.find(' ')).c_str());
  }
  return sum;
}

TEST(Hostile, NonsenseOnEveryTopicDisturbsNobody) {
  DUNLIN_OPEN_FLEET(fleet);
  Member& gateway = fleet.add_gateway();
  Member& a = fleet.add_agent("a");
  DUNLIN_ASSERT_OK(fleet.start());
  ASSERT_TRUE(a.say(numbers(1, 100)));
  ASSERT_TRUE(test::eventually([&] { return a.readings() == 100; }));
  ASSERT_EQ(fleet.converge(), "");

  Forger forger;
  const std::string stranger_node = forger.key->node().to_string();
  Stranger stranger(fleet.broker().url());
  const Bytes good = forger.segments(forger.segment());
  Bytes truncated = good;
  truncated.resize(truncated.size() / 2);
  Bytes other_version = good;
  other_version[1] = 9;  // the first item of the envelope's array
  Bytes signature = forger.segment();
  signature.back() ^= 1;
  Bytes body = forger.segment();
  body[body.size() / 2] ^= 0x10;
  const struct {
    std::string what;
    Bytes payload;
  } nonsense[] = {
      {"noise", noise(300)},
      {"truncated", truncated},
      {"oversized", noise(200'000)},
      {"oversized segment", forger.segments(noise(100'000))},
      {"another version", other_version},
      {"wrong signature", forger.segments(signature)},
      {"another body", forger.segments(body)},
      {"trailing bytes",
       [&] {
         Bytes more = good;
         more.push_back(0);
         return more;
       }()},
  };
  const std::vector<std::string> topics = {"gossip/" + stranger_node,
                                           "bulk/" + stranger_node,
                                           "live/" + stranger_node,
                                           "inbox/" + gateway.node() + "/" + stranger_node,
                                           "inbox/" + a.node() + "/" + stranger_node,
                                           "hello/" + stranger_node,
                                           "gate/" + stranger_node,
                                           "live/" + a.node()};
  std::int64_t said = 100;
  for (const auto& item : nonsense) {
    SCOPED_TRACE(item.what);
    const double before = refused(gateway);
    for (const std::string& topic : topics) stranger.say(topic, item.payload);
    // Not on the other's inbox; and what speaks of segments is nothing to a hello topic.
    EXPECT_TRUE(test::eventually([&] { return refused(gateway) >= before + 5; }))
        << refused(gateway) - before;
    said += 10;
    ASSERT_TRUE(a.say(numbers(said - 9, said)));
  }
  // Garbage that the broker keeps and gives to everybody who comes; a Hello in another's place.
  stranger.say("hello/" + a.node(), noise(100), true);
  stranger.say("gate/" + gateway.node(), noise(100), true);
  stranger.say("hello/" + std::string(32, '0'), noise(100), true);
  stranger.say("hello/" + a.node(), forger.hello());
  stranger.say("gate/" + gateway.node(), forger.hello());
  ASSERT_EQ(a.stop(), 0);
  ASSERT_EQ(gateway.stop(), 0);
  const std::size_t told =
      gateway.events("message_refused").size() + a.events("message_refused").size();
  DUNLIN_ASSERT_OK(fleet.start());

  said += 10;
  ASSERT_TRUE(a.say(numbers(said - 9, said)));
  ASSERT_TRUE(test::eventually([&] { return a.readings() == said; }));
  EXPECT_EQ(fleet.converge(), "");
  EXPECT_EQ(gateway.readings(), said);
  EXPECT_TRUE(gateway.process().running() && a.process().running());
  // At most once for each of the few peers that the topics name, in this short time.
  EXPECT_GT(told, 0u);
  EXPECT_LE(told, 8u);
}

TEST(Hostile, EveryReasonHasItsCount) {
  DUNLIN_OPEN_FLEET(fleet);
  Member& gateway = fleet.add_gateway();
  DUNLIN_ASSERT_OK(gateway.start());
  ASSERT_TRUE(test::eventually([&] { return gateway.get("/readyz").status == 200; }));
  Forger forger;
  const std::string live = "live/" + forger.key->node().to_string();
  Stranger stranger(fleet.broker().url());
  const auto count = [&](const std::string& reason) {
    return gateway.metric("dunlin_messages_refused_total{reason=\"" + reason + "\"}");
  };
  const auto expect_counted = [&](const std::string& reason, const Bytes& payload) {
    const double before = count(reason);
    stranger.say(live, payload);
    EXPECT_TRUE(test::eventually([&] { return count(reason) == before + 1; }))
        << reason << "\n"
        << gateway.get("/metrics").body;
  };
  const Bytes good = forger.segments(forger.segment());
  expect_counted("malformed", noise(300));
  Bytes truncated = good;
  truncated.pop_back();
  expect_counted("truncated", truncated);
  Bytes version = good;
  version[1] = 9;
  expect_counted("unsupported", version);
  Bytes key_id = good;
  key_id[2] = 1;
  expect_counted("unsupported", key_id);
  Bytes signature = forger.segment();
  signature.back() ^= 1;
  expect_counted("bad_signature", forger.segments(signature));
  expect_counted("too_large", forger.segments(noise(100'000)));
  // The codec stands before the payload's size and its head, of two bytes each here.
  Bytes codec = forger.segment();
  const auto header = parse_segment(codec);
  ASSERT_TRUE(header.ok());
  ASSERT_TRUE(header->payload.size() >= 24 && header->payload.size() < 256);
  const auto at = static_cast<std::size_t>(header->payload.data() - codec.data()) - 5;
  ASSERT_LE(codec[at], 2) << "not the codec";
  codec[at] = 23;
  expect_counted("unsupported", forger.segments(codec));
  // What newer minor versions send is not refused, and has a count of its own.
  const auto unknown = [&](const std::string& kind) {
    return gateway.metric("dunlin_unknown_total{kind=\"" + kind + "\"}");
  };
  EXPECT_EQ(unknown("message") + unknown("field") + unknown("operation"), 0.0);
  stranger.say(live, forger.wrap(UnknownMessage{100, {0x82, 0x18, 0x64, 1}}));
  EXPECT_TRUE(test::eventually([&] { return unknown("message") == 1; }));
  // Each peer's first refusal is told at once.
  stranger.say("live/" + std::string(32, '7'), version);
  EXPECT_TRUE(test::eventually([&] {
    return gateway.log().find("speaks protocol 9, this program speaks 1") != std::string::npos;
  })) << gateway.log();
  // The forger is a node as any other of an open fleet: what it signs itself is taken.
  stranger.say(live, good);
  EXPECT_TRUE(test::eventually([&] {
    return gateway.sql_integer("SELECT count(*) FROM nodes WHERE name = 'forger'") == 1;
  }));
}

}  // namespace
}  // namespace dunlin
