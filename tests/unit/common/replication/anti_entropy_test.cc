// One gateway, and others in the test's hand; two that walk stand in anti_entropy_walk_test.cc.
#include "common/replication/anti_entropy.h"

#include "common/log/limits.h"
#include "tests/unit/common/replication/gateway_fixture.h"

namespace dunlin::replication {
namespace {

using namespace test;

constexpr Duration kAnswered = 20ms;  // gateways answer in a tenth of 200 ms

class AntiEntropyTest : public GatewayTest {
 protected:
  // Entry 2 of a log without entry 1.
  void hear_with_a_gap(Peer& agent) {
    meet_agent(agent);
    (void)agent.samples();
    hear_live(agent, {agent.samples()});
    serve();
  }
  // Among gateways that have greeted, with what is to be said said.
  void start_among(std::vector<Peer*> others) {
    start_linked();
    for (Peer* other : others) meet(*other, {kCore});
    pass(3s);
    outputs_.clear();
  }
  struct Said {
    Instant at{};
    Digest digest;
    bool bare() const { return digest.places.empty() && digest.leaves.empty(); }
  };
  // Digests to all.
  std::vector<Said> said() {
    std::vector<Said> found;
    for (Sent& sent : sent_in<Digest>(kCore)) {
      auto& digest = std::get<Digest>(sent.envelope.message);
      if (sent.send.topic == TopicClass::gossip) found.push_back({now_.mono, std::move(digest)});
    }
    return found;
  }
  // Those to one gateway, and how many bytes they had.
  std::vector<Digest> told(const Peer& peer, std::size_t* bytes = nullptr) {
    std::vector<Digest> found;
    for (Sent& sent : sent_in<Digest>(kCore)) {
      if (sent.send.topic != TopicClass::inbox || sent.send.target != peer.node()) continue;
      if (bytes != nullptr) *bytes += sent.send.payload.size();
      found.push_back(std::get<Digest>(std::move(sent.envelope.message)));
    }
    return found;
  }
  // Passes time until a bare Digest goes to all; nothing within `patience`.
  std::optional<Said> next_said(Duration patience) {
    const Instant end = now_.mono + patience;
    while (now_.mono < end) {
      const Instant next = std::max(now_.mono, replica_->next_deadline().value_or(end));
      pass(std::min(next, end) - now_.mono);
      for (Said& each : said()) {
        if (each.bare()) return std::move(each);
      }
    }
    return std::nullopt;
  }
  void say(Peer& gateway, Digest digest, TopicClass topic = TopicClass::gossip) {
    hear(topic, gateway.node(), gateway.wrap(std::move(digest)), kCore);
  }
  // As the gateway under test says it.
  DigestPair roots() {
    const auto digest = next_said(450s);
    EXPECT_TRUE(digest.has_value());
    return digest ? digest->digest.roots : DigestPair{};
  }
  static Digest other_digest() { return {{Digest16{1}, Digest16{}}, {}, {}}; }

  Peer other_{Role::gateway};
  Peer third_{Role::gateway};
};

TEST_F(AntiEntropyTest, GreetsAndThenSpeaksEverLessWhileAllIsWell) {
  start_linked();
  meet(other_, {kCore});
  const Instant began = now_.mono;
  const auto greeting = next_said(450s);
  ASSERT_TRUE(greeting.has_value());
  EXPECT_LE(greeting->at - began, 2s);
  Duration period = 30s;
  Instant last = greeting->at;
  for (int i = 0; i < 8; ++i) {
    const auto next = next_said(450s);
    ASSERT_TRUE(next.has_value());
    EXPECT_EQ(next->digest.roots, greeting->digest.roots);
    EXPECT_GE(next->at - last, period);
    EXPECT_LE(next->at - last, period * 3 / 2);
    last = next->at;
    period = std::min<Duration>(2 * period, 300s);
  }
}

TEST_F(AntiEntropyTest, WhatChangesIsSaidWithinAPeriodThatBeginsAnew) {
  start_among({&other_});
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(next_said(450s).has_value());
  Peer agent;
  meet_agent(agent);
  ASSERT_TRUE(next_said(450s).has_value());
  const auto next = next_said(45s);
  EXPECT_TRUE(next.has_value());
}

TEST_F(AntiEntropyTest, AloneItSaysNothing) {
  start_linked();
  meet(other_, {kNorth});  // of our cell, but not in the backbone
  EXPECT_FALSE(next_said(1h).has_value());
  meet(other_, {kCore});
  EXPECT_TRUE(next_said(2s).has_value());
  hear(TopicClass::gate, other_.node(), other_.hello(NodeState::down), kCore);
  EXPECT_FALSE(next_said(1h).has_value());
}

TEST_F(AntiEntropyTest, WhoHearsItsOwnDigestIsSilentThisTime) {
  start_among({&other_});
  const DigestPair ours = roots();
  Duration period = 30s;
  for (int i = 0; i < 6; ++i) {
    EXPECT_FALSE(next_said(period - 1s).has_value()) << i;
    say(other_, {ours, {}, {}});
    EXPECT_EQ(replica_->stats().suppressed, static_cast<unsigned>(i + 1));
    period = std::min<Duration>(2 * period, 300s);
  }
  EXPECT_TRUE(next_said(450s).has_value()) << "when the other one stops";
}

// A part of a walk is not for all, and silences nobody.
TEST_F(AntiEntropyTest, OnlyWhatIsSaidToAllSilences) {
  start_among({&other_});
  const DigestPair ours = roots();
  ASSERT_FALSE(next_said(59s).has_value());
  say(other_, {ours, {}, {}}, TopicClass::inbox);
  EXPECT_TRUE(next_said(31s).has_value());
}

TEST_F(AntiEntropyTest, WhoMissesSomethingIsSilencedByNobody) {
  start_among({&other_});
  Peer agent;
  hear_with_a_gap(agent);
  ASSERT_EQ(status(agent.log()).missing_entries, 1u);
  const DigestPair ours = roots();
  EXPECT_NE(ours.missing, Digest16{});
  for (int i = 0; i < 10; ++i) {
    bool spoke = false;
    for (int second = 0; second < std::min(46 << i, 451); ++second) {
      say(other_, {ours, {}, {}});
      spoke = next_said(1s).has_value() || spoke;
    }
    EXPECT_TRUE(spoke) << i;
  }
}

// As where retention let it go everywhere before this gateway came.
TEST_F(AntiEntropyTest, WhatNobodyHasIsAskedForEverMoreSeldom) {
  start_among({&other_});
  Peer agent;
  hear_with_a_gap(agent);
  const auto pause = [&](const Digest& theirs) {
    const Instant from = now_.mono;
    const auto next = next_said(460s);
    say(other_, theirs);
    pass(kAnswered);  // it answers
    outputs_.clear();
    return next ? next->at - from : Duration{};
  };
  Duration last{};
  for (int i = 0; i < 8; ++i) EXPECT_LE(pause(other_digest()), 46s) << "it may have been lost";
  for (int i = 0; i < 6; ++i) last = pause(other_digest());
  EXPECT_GE(last, 299s);
  const Digest news{{Digest16{2}, Digest16{}}, {}, {}};
  say(other_, news);
  EXPECT_LE(pause(news), 45s) << "somebody has something else";
  for (int i = 0; i < 14; ++i) last = pause(news);
  EXPECT_GE(last, 299s);
  hear_live(agent, {agent.samples()});
  serve();
  (void)pause(news);  // that had been due
  EXPECT_LE(pause(news), 46s) << "something came";
}

TEST_F(AntiEntropyTest, AnswersAnotherDigestOnceToAll) {
  start_among({&other_});
  say(other_, other_digest());
  EXPECT_TRUE(sent_in<Digest>(kCore).empty()) << "after a while, as somebody else may";
  pass(kAnswered);
  std::vector<Said> answers = said();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_FALSE(answers[0].bare());
  pass(5s);
  EXPECT_TRUE(said().empty());
  say(other_, other_digest());
  say(other_, other_digest());
  pass(kAnswered);
  EXPECT_EQ(said().size(), 1u);
}

TEST_F(AntiEntropyTest, IsSilentWhenAnotherHasAnswered) {
  start_among({&other_, &third_});
  const DigestPair ours = roots();
  Digest answer{{Digest16{3}, Digest16{}}, {}, {{TriePath{}, false, {}}}};
  say(other_, other_digest());
  say(third_, answer);
  pass(5s);
  EXPECT_TRUE(said().empty());
  say(other_, other_digest());
  answer.roots = ours;  // even with what we would have said
  say(third_, answer);
  pass(5s);
  EXPECT_TRUE(said().empty());
  say(other_, other_digest());
  pass(5s);
  EXPECT_EQ(said().size(), 1u);
  EXPECT_EQ(replica_->stats().suppressed, 2u);
}

// Who asked walks with whoever answered; others, who did not, have their own turn.
TEST_F(AntiEntropyTest, AnswersAreForWhoAsked) {
  start_among({&other_});
  const Digest answer{{Digest16{3}, Digest16{}}, {}, {{TriePath{}, false, {}}}};
  pass(20s);
  say(other_, answer);
  EXPECT_TRUE(told(other_).empty());
  const DigestPair ours = roots();
  say(other_, answer);
  EXPECT_EQ(told(other_).size(), 1u);
  pass(11s);
  say(other_, answer);
  EXPECT_TRUE(told(other_).empty());
  say(third_, {ours, {}, {}});  // a stranger
  say(other_, answer);
  EXPECT_TRUE(told(other_).empty());
  say(other_, {ours, {}, {}});  // one that asks for us
  say(other_, answer);
  EXPECT_EQ(told(other_).size(), 1u);
}

TEST_F(AntiEntropyTest, WhoAsksAloneIsAnsweredAlone) {
  start_among({&other_});
  say(other_, other_digest(), TopicClass::inbox);
  const std::vector<Digest> answers = told(other_);
  ASSERT_EQ(answers.size(), 1u);
  ASSERT_EQ(answers[0].leaves.size(), 1u);
  EXPECT_EQ(answers[0].leaves[0].path, TriePath{});
  EXPECT_FALSE(answers[0].leaves[0].last);
  ASSERT_EQ(answers[0].leaves[0].logs.size(), 1u);
  EXPECT_EQ(answers[0].leaves[0].logs[0].item.log, own(kControlTrack));
  EXPECT_EQ(answers[0].leaves[0].logs[0].floor, 1u);
  const DigestPair ours = answers[0].roots;
  say(other_, {ours, {}, {}}, TopicClass::inbox);
  EXPECT_TRUE(told(other_).empty()) << "nothing to say";
}

// What a walk led to is fetched, and perhaps not all of it; what else is fetched says nothing.
TEST_F(AntiEntropyTest, LooksAgainAfterAWalkAlone) {
  start_among({&other_});
  const SegmentRecord open = other_.open();
  greet(other_, Role::gateway, {{open.info.log.epoch, kControlTrack, 1}}, kCore);
  pass(500ms);
  std::vector<Sent> fetches = sent_in<Fetch>(kCore);
  ASSERT_EQ(fetches.size(), 1u);
  hear_answer(other_, {open}, std::get<Fetch>(fetches[0].envelope.message).request, true, kCore);
  serve();
  pass(1s);
  EXPECT_TRUE(told(other_).empty());

  Peer far;
  const SegmentRecord first = far.open();
  Digest walk = other_digest();
  walk.leaves.push_back(
      {TriePath{}, true, {Digest::Log{{first.info.log, 1, first.info.after, {}}, 1}}});
  say(other_, walk, TopicClass::inbox);
  pass(500ms);
  fetches = sent_in<Fetch>(kCore);
  ASSERT_EQ(fetches.size(), 1u);
  hear_answer(other_, {first}, std::get<Fetch>(fetches[0].envelope.message).request, true, kCore);
  serve();
  pass(1s);
  const std::vector<Digest> again = told(other_);
  ASSERT_EQ(again.size(), 1u);
  EXPECT_TRUE(again[0].places.empty() && again[0].leaves.empty());
}

TEST_F(AntiEntropyTest, ALastWordIsNotAnswered) {
  start_among({&other_});
  Digest digest = other_digest();
  digest.leaves = {{TriePath{}, true, {}}};
  say(other_, digest, TopicClass::inbox);
  EXPECT_TRUE(told(other_).empty());
  digest.leaves[0].last = false;
  say(other_, digest, TopicClass::inbox);
  const std::vector<Digest> answers = told(other_);
  ASSERT_EQ(answers.size(), 1u);
  ASSERT_EQ(answers[0].leaves.size(), 1u);
  EXPECT_TRUE(answers[0].leaves[0].last);
}

TEST_F(AntiEntropyTest, OfWhatIsListedOnlyNewsAreTold) {
  start_among({&other_});
  const LogState ours = stored(own(kControlTrack));
  Digest digest = other_digest();
  const auto told_of = [&](Seq head, Hash hash, IntervalSet missing) {
    digest.leaves = {{TriePath{}, false, {{{ours.id(), head, hash, std::move(missing)}, 1}}}};
    say(other_, digest, TopicClass::inbox);
    std::size_t logs = 0;
    for (const Digest& answer : told(other_)) {
      for (const Digest::Leaf& leaf : answer.leaves) logs += leaf.logs.size();
    }
    return logs;
  };
  ASSERT_EQ(ours.head(), 1u);
  EXPECT_EQ(told_of(1, ours.head_hash(), {}), 0u);
  EXPECT_EQ(told_of(5, Hash{}, {}), 0u) << "they have more";
  EXPECT_EQ(told_of(1, Hash{}, {}), 1u) << "another branch";
  EXPECT_EQ(told_of(5, Hash{}, set_of(1, 1)), 1u) << "they miss something";
}

TEST_F(AntiEntropyTest, OnlyLogsUnderTheirPathAreBelieved) {
  start_among({&other_});
  Peer far;
  const SegmentInfo open = far.open().info;
  const Digest::Log log{{open.log, open.last, open.after, {}}, 1};
  const auto nibble = static_cast<unsigned>(trie_key(open.log) >> 60);
  const TriePath right = TriePath{}.child(nibble), wrong = TriePath{}.child(nibble ^ 1);
  Digest digest = other_digest();
  digest.leaves = {{wrong, true, {log}}};
  say(other_, digest, TopicClass::inbox);
  pass(1s);
  EXPECT_TRUE(sent<Fetch>().empty());
  digest.leaves = {{right, true, {log}}};
  say(other_, digest, TopicClass::inbox);
  pass(1s);
  EXPECT_EQ(sent<Fetch>().size(), 1u);
}

// The deepest place, the same places many times, more than there is: all have an answer that fits.
TEST_F(AntiEntropyTest, AnyPathHasAnAnswer) {
  start_among({&other_});
  TriePath deepest;
  while (deepest.depth() < TriePath::kDepthMax) deepest = deepest.child(7);
  Digest digest = other_digest();
  digest.leaves = {{deepest, false, {}}, {TriePath{}.child(3), false, {}}, {TriePath{}, false, {}}};
  for (unsigned i = 0; i < kDigestPlacesMax; ++i)
    digest.places.push_back({TriePath{}.child(i % 16), {}});
  say(other_, digest, TopicClass::inbox);
  for (const Digest& answer : told(other_)) {
    EXPECT_LE(answer.places.size(), kDigestPlacesMax);
    EXPECT_LE(answer.leaves.size(), kDigestPlacesMax);
  }
  EXPECT_EQ(refusals(), 0u);
}

TEST_F(AntiEntropyTest, WhoKeepsAskingIsToldNoMoreThanItsShare) {
  start_among({&other_, &third_});
  std::size_t bytes = 0;
  for (int i = 0; i < 6000; ++i) {
    say(other_, other_digest(), TopicClass::inbox);
    (void)told(other_, &bytes);
    pass(100ms);
  }
  EXPECT_LE(bytes, 64u * 1024 + 600 * 16 * 1024 / 30 + 1024);
  EXPECT_GT(bytes, 64u * 1024);
  say(third_, other_digest(), TopicClass::inbox);
  EXPECT_EQ(told(third_).size(), 1u) << "each has its own";
}

TEST_F(AntiEntropyTest, OnlyMembersCount) {
  close_fleet();
  start_among({&other_});
  Peer stranger{Role::gateway}, agent;
  meet_agent(agent);
  outputs_.clear();
  greet(stranger, Role::gateway, {}, kCore);
  for (Peer* each : {&stranger, &agent}) {
    say(*each, other_digest());
    say(*each, other_digest(), TopicClass::inbox);
  }
  pass(5s);
  EXPECT_EQ(refused("untrusted"), 3u);
  EXPECT_TRUE(said().empty());
  Peer authority{Role::agent, simulation::authority_key(false)};
  hear(TopicClass::authority, authority.node(),
       authority.segments(
           {authority.open("fleet"), authority.control({Revoke{other_.node(), {}}})}));
  serve();
  say(other_, other_digest());
  say(other_, other_digest(), TopicClass::inbox);
  EXPECT_EQ(refused("revoked"), 2u);
  EXPECT_FALSE(next_said(1h).has_value());
}

TEST_F(AntiEntropyTest, WhereItKeepsNothingItTakesNoPart) {
  start_linked();
  meet(other_, {kNorth, kCore});
  pass(3s);
  outputs_.clear();
  hear(TopicClass::gossip, other_.node(), other_.wrap(other_digest()), kNorth);
  hear(TopicClass::inbox, other_.node(), other_.wrap(other_digest()), kNorth);
  pass(5s);
  EXPECT_TRUE(sent<Digest>().empty());
  // An agent takes part nowhere.
  start(agent_options());
  serve();
  ASSERT_TRUE(step(LinkUp{}).ok());
  greet(other_, Role::gateway);
  hear(TopicClass::gossip, other_.node(), other_.wrap(other_digest()));
  hear(TopicClass::inbox, other_.node(), other_.wrap(other_digest()));
  pass(10min);
  EXPECT_TRUE(sent<Digest>().empty());
  EXPECT_EQ(refusals(), 0u);
}

TEST_F(AntiEntropyTest, NothingIsSaidWhileTheLinkIsDown) {
  start_among({&other_});
  say(other_, other_digest());  // to be answered
  ASSERT_TRUE(step(LinkDown{}).ok());
  EXPECT_FALSE(next_said(1h).has_value());
  ASSERT_TRUE(step(LinkUp{}).ok());
  outputs_.clear();
  pass(10min);
  EXPECT_TRUE(said().empty()) << "until the others are there";
  meet(other_, {kCore});
  EXPECT_TRUE(next_said(2s).has_value());
}

TEST_F(AntiEntropyTest, SaysTheSameAfterARestart) {
  start_among({&other_});
  Peer agent;
  hear_with_a_gap(agent);
  const DigestPair before = roots();
  start_among({});
  meet(other_, {kCore});
  EXPECT_EQ(roots(), before);
}

// Gateways hear that a node was revoked sooner or later, and have stored less or more of it by
// then.
TEST_F(AntiEntropyTest, SaysOfWhoWasRevokedWhatCounts) {
  close_fleet();
  start_among({&other_});
  Peer agent;
  const SegmentInfo open = meet_agent(agent).info;
  const SegmentInfo end = agent.samples(2).info;
  Peer twin = agent.twin();
  (void)twin.open();
  hear_live(agent, {twin.samples(2), agent.samples(3)});
  serve();
  ASSERT_EQ(stored(agent.log()).held(), set_of(1, 5));
  Peer authority{Role::agent, simulation::authority_key(false)};
  const Revoke revoke{agent.node(),
                      {{open.log.epoch, open.log.track, open.last, open.after},
                       {end.log.epoch, end.log.track, end.last, end.after}}};
  hear(TopicClass::authority, authority.node(),
       authority.segments({authority.open("fleet"), authority.control({revoke})}));
  serve();
  const LogState ours = stored(own(kControlTrack));
  DigestTrie expected;
  expected.set(ours.id(), log_digest(ours.id(), ours.head(), ours.head_hash(), {}));
  for (const SegmentInfo& last : {open, end})
    expected.set(last.log, log_digest(last.log, last.last, last.after, {}));
  EXPECT_EQ(roots(), expected.roots());
  say(other_, other_digest(), TopicClass::inbox);
  const std::vector<Digest> answers = told(other_);
  ASSERT_EQ(answers.size(), 1u);
  for (const Digest::Log& log : answers[0].leaves.at(0).logs) {
    if (log.item.log != agent.log()) continue;
    EXPECT_EQ(log.item.head, 2u);
    EXPECT_EQ(log.item.hash, end.after);
  }
}

// The bus may bring its traffic before its Hello, or lose that.
TEST_F(AntiEntropyTest, AGatewayThatWasHeardBeforeItsHelloIsOne) {
  start_among({&other_});
  hear_live(other_, {other_.open()}, kCore);
  serve();
  start_linked();
  hear_live(other_, {other_.define(1)}, kCore);
  serve();
  meet(other_, {kCore});
  EXPECT_TRUE(next_said(2s).has_value());
  EXPECT_TRUE(known(other_.node())->role == Role::gateway);
  Peer agent;
  meet_agent(agent);
  const auto forwarded = sent_in<Segments>(kCore);
  EXPECT_EQ(forwarded.size(), 1u) << "there is somebody beyond our cell";
}

}  // namespace
}  // namespace dunlin::replication
