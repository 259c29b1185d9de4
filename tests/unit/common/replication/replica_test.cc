#include "common/replication/replica.h"

#include "common/log/limits.h"
#include "tests/unit/common/replication/replica_fixture.h"

namespace dunlin::replication {
namespace {

using namespace test;

class PresenceTest : public ReplicaTest {
 protected:
  void start_linked() {
    start(gateway_options());
    serve();
    ASSERT_TRUE(step(LinkUp{}).ok());
    outputs_.clear();
  }
  std::optional<PeerState> state(const Peer& peer) const {
    const auto status = known(peer.node());
    return status ? std::optional(status->state) : std::nullopt;
  }
  std::vector<Notice::Kind> notices() {
    std::vector<Notice::Kind> kinds;
    for (const Notice& notice : take<Notice>()) kinds.push_back(notice.kind);
    return kinds;
  }

  Peer peer_;
};

TEST_F(PresenceTest, GreetsWhenTheLinkComes) {
  start(agent_options());
  serve();
  ASSERT_TRUE(step(LinkUp{}).ok());
  const auto sends = take<Send>();
  ASSERT_EQ(sends.size(), 1u);
  EXPECT_EQ(sends[0].topic, TopicClass::hello);
  EXPECT_EQ(sends[0].target, replica_->self());
  const auto hello = std::get<Hello>(decode_envelope(sends[0].payload)->message);
  EXPECT_EQ(hello.state, NodeState::up);
  EXPECT_EQ(hello.heads, (std::vector<Hello::Head>{{replica_->epoch(), kControlTrack, 1}}));
  const auto will = std::get<Hello>(decode_envelope(replica_->will())->message);
  EXPECT_EQ(will.state, NodeState::down);
  EXPECT_EQ(will.nonce, hello.nonce);
  for (const Hello& each : {hello, will}) {
    EXPECT_TRUE(verifier_->verify(each.public_key, hello_statement(each), each.signature).ok());
  }
}

TEST_F(PresenceTest, AForgedHelloIsRefused) {
  start_linked();
  Peer forger;
  const NodeId victim = peer_.node();
  const Bytes genuine = peer_.hello();
  // In another's topic, in a gateway's topic, under another's name or key, altered, replayed by
  // another instance.
  hear(TopicClass::hello, victim, forger.hello());
  hear(TopicClass::gate, victim, genuine);
  const auto changed = [&](auto change) {
    Envelope envelope = decode_envelope(genuine).value();
    change(std::get<Hello>(envelope.message), envelope);
    hear(TopicClass::hello, victim, encode_envelope(envelope));
  };
  changed([&](Hello& hello, Envelope&) { hello.public_key = forger.key().public_key(); });
  changed([&](Hello& hello, Envelope&) { hello.node = forger.node(); });
  changed([](Hello& hello, Envelope&) { hello.state = NodeState::down; });
  changed([](Hello& hello, Envelope&) { hello.heads.push_back({Epoch{5}, kSamplesTrack, 9}); });
  changed([](Hello&, Envelope& envelope) { envelope.nonce.value += 1; });
  changed([&](Hello& hello, Envelope&) {
    hello.signature = forger.key().sign(hello_statement(hello)).value();
  });
  EXPECT_EQ(replica_->stats().refused.at("bad_signature"), 8u);
  EXPECT_EQ(refusals(), 8u);
  EXPECT_EQ(state(peer_), std::nullopt);
  EXPECT_EQ(state(forger), std::nullopt);
  EXPECT_EQ(status(peer_.log()).head, 0u);

  hear(TopicClass::hello, victim, genuine);
  EXPECT_EQ(state(peer_), PeerState::up);
  // Nor does a forged will take anybody down.
  changed([](Hello& hello, Envelope&) { hello.state = NodeState::down; });
  EXPECT_EQ(state(peer_), PeerState::up);
}

TEST_F(PresenceTest, AWillOfAFormerInstanceIsIgnored) {
  start_linked();
  peer_.nonce = Nonce{1};
  const Bytes former_will = peer_.hello(NodeState::down);
  peer_.nonce = Nonce{2};
  greet(peer_, Role::agent);
  EXPECT_EQ(notices(), (std::vector{Notice::Kind::peer_up}));
  hear(TopicClass::hello, peer_.node(), former_will);
  EXPECT_EQ(state(peer_), PeerState::up);
  hear(TopicClass::hello, peer_.node(), peer_.hello(NodeState::down));
  EXPECT_EQ(state(peer_), PeerState::down);
  EXPECT_EQ(notices(), (std::vector{Notice::Kind::peer_down}));
}

TEST_F(PresenceTest, AnswersItsOwnWillWithAHello) {
  start_linked();
  hear(TopicClass::gate, replica_->self(), replica_->will());
  const auto hellos = sent<Hello>();
  ASSERT_EQ(hellos.size(), 1u);
  EXPECT_EQ(hellos[0].state, NodeState::up);
  // That of a former instance was replaced by ours already.
  const Bytes former = replica_->will();
  start_linked();
  hear(TopicClass::gate, replica_->self(), former);
  EXPECT_TRUE(sent<Hello>().empty());
}

TEST_F(PresenceTest, AnAnnouncementThatComesLateTellsNothingNew) {
  start_linked();
  const Bytes early = peer_.hello(NodeState::up, {{Epoch{5}, kSamplesTrack, 3}});
  greet(peer_, Role::agent, {{Epoch{5}, kSamplesTrack, 7}});
  hear(TopicClass::hello, peer_.node(), early);
  EXPECT_EQ(status(peer_.log()).head, 7u);
}

TEST_F(PresenceTest, WhoIsSilentIsStaleUntilHeardAgain) {
  start_linked();
  greet(peer_, Role::agent);
  hear_live(peer_, {peer_.open()});
  serve();
  pass(10min);
  EXPECT_EQ(state(peer_), PeerState::up);
  pass(2min);
  EXPECT_EQ(state(peer_), PeerState::stale);
  hear(TopicClass::gossip, peer_.node(), peer_.wrap(Vector{}));
  EXPECT_EQ(state(peer_), PeerState::up);
  EXPECT_EQ(known(peer_.node())->last_seen, now_.utc);
}

// To a gateway that starts when it is gone.
TEST_F(PresenceTest, AWillTellsWhenItsNodeLived) {
  start_linked();
  peer_.hlc = Hlc::of(1'700'000'000'123, 4);
  hear(TopicClass::hello, peer_.node(), peer_.hello(NodeState::down));
  EXPECT_EQ(known(peer_.node())->last_seen, 1'700'000'000'123'000);
}

// Nor does its silence begin anew with the next start of a gateway.
TEST_F(PresenceTest, WhenANodeWasHeardIsKept) {
  start_linked();
  greet(peer_, Role::agent);
  hear_live(peer_, {peer_.open()});
  serve();
  pass(6min);
  serve();
  const UtcMicros first = now_.utc;
  hear(TopicClass::gossip, peer_.node(), peer_.wrap(Vector{}));
  pass(3min);
  EXPECT_TRUE(take<Write>().empty());
  pass(2min);
  serve();  // and is killed
  hear(TopicClass::gossip, peer_.node(), peer_.wrap(Vector{}));
  start_linked();
  EXPECT_EQ(known(peer_.node())->last_seen, first);
  EXPECT_EQ(state(peer_), PeerState::remote);
  hear(TopicClass::hello, peer_.node(), peer_.hello(NodeState::down));  // of long ago
  EXPECT_EQ(known(peer_.node())->last_seen, first);

  hear(TopicClass::hello, peer_.node(), peer_.hello());
  const UtcMicros last = now_.utc;
  ASSERT_TRUE(step(Flush{}).ok());
  serve();  // and stops
  start_linked();
  EXPECT_EQ(known(peer_.node())->last_seen, last);

  // By a clock that was wrong.
  now_.utc = last - 3'600'000'000;
  start_linked();
  EXPECT_EQ(known(peer_.node())->last_seen, 0);
  hear(TopicClass::hello, peer_.node(), peer_.hello());
  const UtcMicros corrected = now_.utc;
  ASSERT_TRUE(step(Flush{}).ok());
  serve();
  start_linked();
  EXPECT_EQ(known(peer_.node())->last_seen, corrected);
}

TEST_F(PresenceTest, WhatWasOnlyClaimedIsNoLagForEver) {
  start_linked();
  greet(peer_, Role::agent, {{Epoch{5}, kSamplesTrack, 7}});
  hear(TopicClass::hello, peer_.node(), peer_.hello(NodeState::down));
  pass(14min);
  EXPECT_EQ(status(peer_.log()).missing_entries, 7u);
  pass(2min);
  EXPECT_EQ(status(peer_.log()).missing_entries, 0u);
  EXPECT_EQ(status(peer_.log()).head, 0u);
}

// For those who watch it: a device that serves no metrics, and one that is offline.
TEST_F(PresenceTest, WhatANodeSaysOfItsDiskIsKept) {
  start_linked();
  greet(peer_, Role::agent);
  EXPECT_FALSE(known(peer_.node())->storage.has_value());
  const Vector::Storage said{4096, 1 << 20, 77};
  hear(TopicClass::gossip, peer_.node(), peer_.wrap(Vector{{}, true, said}));
  hear(TopicClass::gossip, peer_.node(), peer_.wrap(Vector{}));
  EXPECT_EQ(known(peer_.node())->storage, said);
  hear(TopicClass::hello, peer_.node(), peer_.hello(NodeState::down));
  EXPECT_EQ(known(peer_.node())->storage, said);
}

TEST_F(PresenceTest, AnAgentSaysHowItsDiskIs) {
  start(agent_options());
  serve();
  ASSERT_TRUE(step(LinkUp{}).ok());
  ASSERT_TRUE(step(StorageUsed{.bytes = 4096, .disk_free = 1 << 20, .written = 77}).ok());
  (void)take<Send>();
  pass(6min);
  const std::vector<Vector> said = sent<Vector>();
  ASSERT_FALSE(said.empty());
  EXPECT_EQ(said.back().storage, (Vector::Storage{4096, 1 << 20, 77}));
  EXPECT_EQ(known(replica_->self())->storage, said.back().storage);
}

// The broker says who wrote: nobody speaks in another's name, or makes logs of another's.
TEST_F(PresenceTest, NobodySpeaksInAnothersName) {
  start_linked();
  greet(peer_, Role::agent);
  hear_live(peer_, {peer_.open(), peer_.samples()});
  serve();
  Peer other;
  greet(other, Role::agent);
  (void)take<Send>();
  const Vector claims{{{peer_.log(), 1000, {}, {}}}};
  const Fetch asks{9, 100'000, {{peer_.log(), set_of(1, 9)}}};
  hear(TopicClass::gossip, other.node(), other.wrap(claims));
  hear(TopicClass::inbox, other.node(), other.wrap(claims));
  serve();
  EXPECT_EQ(status(peer_.log()).head, 1u);
  // What is another's is not for it; the other gets it back.
  hear(TopicClass::inbox, other.node(), other.wrap(asks));
  serve();
  EXPECT_TRUE(sent<Segments>().empty());
  hear(TopicClass::inbox, peer_.node(), peer_.wrap(asks));
  serve();
  EXPECT_FALSE(sent<Segments>().empty());
  // Nor do its claims make logs, which are few for each node.
  for (std::uint64_t n = 0; n < 300; ++n)
    hear(TopicClass::gossip, peer_.node(),
         peer_.wrap(Vector{{{{peer_.node(), Epoch{n + 99}, kSamplesTrack}, 5, {}, {}}}}));
  EXPECT_EQ(known(peer_.node())->logs.size(), 2u);
}

TEST_F(PresenceTest, EverybodyIsDownWhileTheLinkIs) {
  start_linked();
  greet(peer_, Role::agent);
  ASSERT_TRUE(step(LinkDown{}).ok());
  EXPECT_EQ(state(peer_), PeerState::down);
  ASSERT_TRUE(step(LinkUp{}).ok());
  EXPECT_EQ(state(peer_), PeerState::down);
  greet(peer_, Role::agent);
  EXPECT_EQ(state(peer_), PeerState::up);
}

TEST_F(PresenceTest, LagCountsFromWhenAHeadWasFirstHeardOf) {
  start_linked();
  greet(peer_, Role::agent, {{Epoch{5}, kControlTrack, 1}, {Epoch{5}, kSamplesTrack, 4}});
  const Instant heard = now_.mono;
  pass(10s);
  greet(peer_, Role::agent, {{Epoch{5}, kControlTrack, 1}, {Epoch{5}, kSamplesTrack, 9}});
  EXPECT_EQ(status(peer_.log()).behind_since, heard);
  EXPECT_EQ(status(peer_.log()).missing_entries, 9u);
  hear_live(peer_, {peer_.open()});
  hear_live(peer_, {peer_.samples(4)});
  serve();
  EXPECT_EQ(status(peer_.log()).behind_since, heard + 10s);
  EXPECT_EQ(status(peer_.log()).complete, 4u);
  hear_live(peer_, {peer_.samples(5)});
  serve();
  EXPECT_EQ(status(peer_.log()).behind_since, std::nullopt);
  EXPECT_EQ(status(peer_.log()).complete, 9u);
}

TEST_F(PresenceTest, ForeignNonsenseIsCountedAndNobodysError) {
  start_linked();
  greet(peer_, Role::agent);
  Bytes other_version = peer_.hello();
  other_version[1] = 9;
  Bytes truncated = peer_.hello();
  truncated.resize(truncated.size() / 2);
  hear(TopicClass::hello, peer_.node(), other_version);
  hear(TopicClass::hello, peer_.node(), truncated);
  hear(TopicClass::gossip, peer_.node(), Bytes(100, 0xff));
  hear(TopicClass::inbox, peer_.node(), Bytes(kMessageBytesMax + 1));
  hear(TopicClass::hello, peer_.node(), {});  // a retained message that was cleared is none
  EXPECT_EQ(refusals(), 4u);
  EXPECT_EQ(replica_->stats().refused.at("unsupported"), 1u);
  EXPECT_EQ(state(peer_), PeerState::up);
}

TEST_F(PresenceTest, AnotherMajorVersionIsRefusedAndTheReasonNamesBoth) {
  start_linked();
  Bytes other = peer_.hello();
  other[1] = 2;
  hear(TopicClass::hello, peer_.node(), other);
  EXPECT_EQ(replica_->stats().refused.at("unsupported"), 1u);
  const auto told = take<Notice>();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].kind, Notice::Kind::refused);
  EXPECT_EQ(told[0].node, peer_.node());
  EXPECT_NE(told[0].detail.find("speaks protocol 2, this program speaks 1"), std::string::npos)
      << told[0].detail;
  EXPECT_EQ(state(peer_), std::nullopt);
}

TEST_F(PresenceTest, ANodeOfANewerMinorVersionIsHeard) {
  start_linked();
  const auto own = known(replica_->self())->speaks;
  ASSERT_TRUE(own);
  EXPECT_EQ(own->minor, kProtocolMinor);
  EXPECT_EQ(own->capabilities, (std::vector<std::string>{"columns", "zstd"}));

  peer_.minor = 3;
  peer_.later = {2, {0x18, 0x2a, 0x81, 0xf6}};  // 42, [null]
  const Bytes hello = peer_.hello();
  Bytes altered = hello;
  altered[altered.size() - 3] ^= 1;  // 43
  hear(TopicClass::hello, peer_.node(), altered);
  EXPECT_EQ(replica_->stats().refused.at("bad_signature"), 1u);
  Envelope shortened = decode_envelope(hello).value();
  shortened.later = {};
  hear(TopicClass::hello, peer_.node(), encode_envelope(shortened));
  EXPECT_EQ(replica_->stats().refused.at("bad_signature"), 2u);
  EXPECT_EQ(replica_->stats().unknown.fields, 0u);
  EXPECT_EQ(state(peer_), std::nullopt);

  hear(TopicClass::hello, peer_.node(), hello);
  EXPECT_EQ(state(peer_), PeerState::up);
  ASSERT_TRUE(known(peer_.node())->speaks);
  EXPECT_EQ(known(peer_.node())->speaks->minor, 3u);
  EXPECT_EQ(replica_->stats().unknown.fields, 2u);
  hear(TopicClass::hello, peer_.node(),
       peer_.hello(NodeState::up, {{peer_.log().epoch, peer_.log().track, 8}}));
  hear(TopicClass::gossip, peer_.node(), peer_.wrap(Vector{{{peer_.log(), 9, {}, {}}}}));
  EXPECT_EQ(status(peer_.log()).head, 9u);
  EXPECT_EQ(replica_->stats().unknown.fields, 6u);
  EXPECT_EQ(refusals(), 2u);
}

TEST_F(PresenceTest, MessagesOfANewerMinorVersionAreIgnoredAndCounted) {
  start_linked();
  const Bytes message =
      encode_envelope({peer_.nonce, 1, UnknownMessage{100, {0x82, 0x18, 0x64, 1}}});
  for (const TopicClass topic : {TopicClass::hello, TopicClass::gate, TopicClass::gossip,
                                 TopicClass::live, TopicClass::bulk, TopicClass::inbox})
    hear(topic, peer_.node(), message);
  EXPECT_EQ(replica_->stats().unknown.messages, 6u);
  EXPECT_EQ(refusals(), 0u);
  EXPECT_TRUE(outputs_.empty());
  EXPECT_EQ(state(peer_), std::nullopt);
}

// Believes everybody, so that thousands of nodes cost nothing.
class Credulous final : public Verifier {
  Result<void> verify(ByteView, ByteView, const Signature&) override { return {}; }
};

class PeerTableTest : public PresenceTest {
 protected:
  static constexpr std::size_t kPeers = 16'384;  // as replication.md has it

  PeerTableTest() { verifier_ = std::make_unique<Credulous>(); }
  NodeId greet_number(std::size_t number, NodeState state) {
    Hello hello;
    const std::string key = "key " + std::to_string(number);
    hello.public_key.assign(key.begin(), key.end());
    const NodeId node = hello.node = node_id_of(hello.public_key);
    hello.state = state;
    hello.nonce = Nonce{number + 1};
    hello.counter = 1;
    hear(TopicClass::hello, node, encode_envelope({hello.nonce, 1, std::move(hello)}));
    outputs_.clear();
    return node;
  }
};

TEST_F(PeerTableTest, IsBounded) {
  start_linked();
  greet(peer_, Role::agent);
  for (std::size_t i = 0; i < kPeers + 1000; ++i) greet_number(i, NodeState::up);
  EXPECT_EQ(replica_->status(now_).size(), kPeers + 1);  // and itself
  EXPECT_EQ(replica_->stats().refused.at("too_large"), 1001u);
  EXPECT_EQ(state(peer_), PeerState::up);
}

TEST_F(PeerTableTest, ForgetsWhoWasAwayLongest) {
  start_linked();
  greet(peer_, Role::agent);
  const NodeId first = greet_number(0, NodeState::down);
  pass(1s);
  const NodeId second = greet_number(1, NodeState::down);
  for (std::size_t i = 2; i < kPeers - 1; ++i) greet_number(i, NodeState::up);
  EXPECT_TRUE(known(first) && known(second));
  const NodeId last = greet_number(kPeers, NodeState::up);
  EXPECT_TRUE(known(last));
  EXPECT_FALSE(known(first));
  EXPECT_TRUE(known(second));
  EXPECT_EQ(state(peer_), PeerState::up);
  EXPECT_EQ(refusals(), 0u);
}

TEST_F(PresenceTest, PartsOfAStatusAreTheWhole) {
  start_linked();
  Peer greeted, heard, gone;
  greet(greeted, Role::agent, {{Epoch{5}, kControlTrack, 3}});
  greet(heard, Role::agent);
  hear_live(heard, {heard.open(), heard.define(1), heard.samples(2)});
  hear_live(gone, {gone.open()});
  serve();
  const std::vector<NodeStatus> whole = replica_->status(now_);
  ASSERT_EQ(whole.size(), 4U) << "with itself";
  for (const std::size_t max : {1U, 3U, 4U, 5U}) {
    std::vector<NodeStatus> parts;
    while (parts.size() < whole.size()) {
      const auto part = replica_->status(now_, parts.empty() ? nullptr : &parts.back().node, max);
      ASSERT_EQ(part.size(), std::min(max, whole.size() - parts.size()));
      parts.insert(parts.end(), part.begin(), part.end());
    }
    for (std::size_t i = 0; i < whole.size(); ++i) {
      EXPECT_EQ(parts[i].node, whole[i].node);
      EXPECT_EQ(parts[i].name, whole[i].name);
      EXPECT_EQ(parts[i].state, whole[i].state);
      ASSERT_EQ(parts[i].logs.size(), whole[i].logs.size());
      for (std::size_t n = 0; n < whole[i].logs.size(); ++n)
        EXPECT_EQ(parts[i].logs[n].log, whole[i].logs[n].log);
    }
    EXPECT_TRUE(replica_->status(now_, &parts.back().node).empty());
  }
}

TEST_F(PresenceTest, TwoMachinesWithOneKeyAreAClone) {
  start_linked();
  Peer other = peer_.twin();
  other.nonce = Nonce{4712};
  for (int n = 0; n < 3; ++n) {
    greet(peer_, Role::agent);
    greet(other, Role::agent);
  }
  EXPECT_TRUE(known(peer_.node())->cloned);
  EXPECT_GT(replica_->stats().clones, 0u);
  const auto notices = take<Notice>();
  EXPECT_TRUE(std::any_of(notices.begin(), notices.end(),
                          [](const Notice& notice) { return notice.kind == Notice::Kind::clone; }));
}

}  // namespace
}  // namespace dunlin::replication
