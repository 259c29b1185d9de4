// Agents that follow nodes of other cells, and gateways that they ask.
#include <gmock/gmock.h>

#include "common/replication/followers.h"
#include "tests/unit/common/replication/gateway_fixture.h"

namespace dunlin::replication {
namespace {

using namespace test;
using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr CellIndex kSouth = 2;

TEST(Followers, KnowWhereSomebodyFollows) {
  const NodeId one{{1}}, two{{2}};
  Followers followers;
  EXPECT_TRUE(followers.follow({}, one, 0, {{"pump", kSamplesTrack}, {"pond"}}));
  EXPECT_TRUE(followers.follow({}, two, 3, {{"pump"}}));
  EXPECT_THAT(followers.cells("pump", kSamplesTrack), ElementsAre(0, 3));
  EXPECT_THAT(followers.cells("pump", kControlTrack), ElementsAre(0, 3));
  EXPECT_THAT(followers.cells("pump", Track{9}), ElementsAre(3));
  EXPECT_THAT(followers.cells("pond", Track{9}), ElementsAre(0));
  EXPECT_THAT(followers.cells("other", Track{9}), IsEmpty());
  followers.forget(two);
  EXPECT_THAT(followers.cells("pump", Track{9}), IsEmpty());
  followers.forget(one);
  EXPECT_TRUE(followers.empty());
}

TEST(Followers, TheLastWordCountsAndIsNotAnsweredTooOften) {
  const NodeId one{{1}};
  Followers followers;
  Instant now{1h};
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(followers.follow(now, one, 0, {{"pump"}, {"pump"}}));
  EXPECT_FALSE(followers.follow(now, one, 0, {{"pond"}}));
  EXPECT_THAT(followers.cells("pump", kSamplesTrack), IsEmpty());
  EXPECT_THAT(followers.cells("pond", kSamplesTrack), ElementsAre(0));
  followers.forget(one);
  EXPECT_FALSE(followers.follow(now + 1s, one, 0, {{"pond"}})) << "it left and came back";
  EXPECT_TRUE(followers.follow(now + 5s, one, 0, {{"pond"}}));
}

// The replica is a gateway of north and south, in a fleet with an authority.
class FollowedGatewayTest : public GatewayTest {
 protected:
  void begin() {
    ReplicaOptions options = gateway_options();
    options.cells = {"north", std::string(kBackboneName), "south"};
    options.admission = simulation::make_admission(*authority_, *verifier_);
    options.certificate = certificate(*key_, true, options.origin.name);
    start(std::move(options));
    serve();
    ASSERT_TRUE(step(LinkUp{}).ok());
  }
  void SetUp() override {
    close_fleet();
    begin();
    // A pump in the south, with three entries.
    pump_.name = "pump";
    pump_.certificate = certificate(pump_.key(), false, pump_.name);
    greet(pump_, Role::agent, {}, kSouth);
    hear_live(pump_, {pump_.open("pump"), pump_.samples(3)}, kSouth);
    serve();
    outputs_.clear();
  }
  void meet(Peer& agent, bool keeper, bool fleet) {
    agent.capabilities = {std::string(kFollows)};
    agent.certificate = simulation::fixed_certificate(
        *authority_, {agent.node(), false, agent.name, keeper, fleet});
    hear(TopicClass::gate, agent.node(), agent.hello());
    serve();
    outputs_.clear();
  }
  std::vector<LogId> told(Peer& agent, std::vector<Followed> follows) {
    pass(5s);
    outputs_.clear();
    hear(TopicClass::inbox, agent.node(), agent.wrap(Follow{std::move(follows)}));
    std::vector<LogId> logs;
    for (const Sent& sent : sent_in<Digest>(kNorth)) {
      EXPECT_EQ(sent.send.topic, TopicClass::inbox);
      EXPECT_EQ(sent.send.target, agent.node());
      const auto& digest = std::get<Digest>(sent.envelope.message);
      for (const Digest::Leaf& leaf : digest.leaves) {
        EXPECT_TRUE(leaf.last);
        for (const Digest::Log& log : leaf.logs) logs.push_back(log.item.log);
      }
    }
    return logs;
  }
  // What was said to all in the north.
  std::size_t handed_on() {
    std::size_t count = 0;
    for (const Sent& sent : sent_in<Segments>(kNorth)) {
      if (sent.send.topic != TopicClass::inbox)
        count += std::get<Segments>(sent.envelope.message).segments.size();
    }
    return count;
  }

  Peer pump_{Role::agent};
};

TEST_F(FollowedGatewayTest, TellsWhatItHas) {
  Peer display{Role::agent};
  meet(display, true, true);
  EXPECT_THAT(told(display, {{"pump"}}), ElementsAre(pump_.log(kControlTrack), pump_.log()));
  EXPECT_THAT(told(display, {{"pump", Track{77}}}), ElementsAre(pump_.log(kControlTrack)));
  EXPECT_THAT(told(display, {{"pond"}}), IsEmpty());
}

TEST_F(FollowedGatewayTest, ServesThat) {
  Peer display{Role::agent};
  meet(display, true, true);
  IntervalSet all;
  all.insert({1, 3});
  hear(TopicClass::inbox, display.node(), display.wrap(Fetch{9, 100'000, {{pump_.log(), all}}}));
  serve();
  std::size_t segments = 0;
  for (const Segments& answer : sent<Segments>()) segments += answer.segments.size();
  EXPECT_GT(segments, 0u);
}

// One that another gateway introduced is still called so after a restart.
TEST_F(FollowedGatewayTest, KnowsNamesAfterARestart) {
  Peer far{Role::agent}, beyond{Role::gateway}, display{Role::agent};
  GatewayTest::meet(beyond, {kCore});
  Segments message{.lane = Lane::live, .segments = {far.open("far").bytes}};
  message.certificates = {certificate(far.key(), false, "far")};
  hear(TopicClass::live, beyond.node(), beyond.wrap(message), kCore);
  serve();
  begin();
  meet(display, true, true);
  EXPECT_THAT(told(display, {{"far"}}), ElementsAre(far.log(kControlTrack)));
}

TEST_F(FollowedGatewayTest, HandsOnWhereSomebodyFollows) {
  Peer display{Role::agent};
  meet(display, true, true);
  hear_live(pump_, {pump_.samples()}, kSouth);
  serve();
  EXPECT_EQ(handed_on(), 0u);
  (void)told(display, {{"pump"}});
  hear_live(pump_, {pump_.samples()}, kSouth);
  serve();
  EXPECT_EQ(handed_on(), 1u);
  hear(TopicClass::gate, display.node(), display.hello(NodeState::down));
  hear_live(pump_, {pump_.samples()}, kSouth);
  serve();
  EXPECT_EQ(handed_on(), 0u);
}

// The authority says who is called so, and no other.
TEST_F(FollowedGatewayTest, ABoasterIsNotFollowed) {
  Peer display{Role::agent}, boaster{Role::agent};
  meet(display, true, true);
  boaster.certificate = certificate(boaster.key(), false, boaster.name);
  greet(boaster, Role::agent, {}, kSouth);
  hear_live(boaster, {boaster.open("weather"), boaster.samples(3)}, kSouth);
  serve();
  EXPECT_THAT(told(display, {{"weather"}}), IsEmpty());
  hear_live(boaster, {boaster.samples(3)}, kSouth);
  serve();
  EXPECT_EQ(handed_on(), 0u);
}

// Of two gateways in that cell one does.
TEST_F(FollowedGatewayTest, OneOfThoseInTheCellHandsOn) {
  Peer display{Role::agent}, other{Role::gateway};
  GatewayTest::meet(other, {kNorth, kCore});
  meet(display, true, true);
  (void)told(display, {{"pump"}});
  Whereabouts where({"north"});
  Gateways gateways(key_->node(), where);
  where.heard(other.node(), 0), gateways.up(other.node());
  const bool first = gateways.rank(pump_.node(), 0) == 0;
  const SegmentRecord said = pump_.samples();
  hear_live(pump_, {said}, kSouth);
  serve();
  EXPECT_EQ(handed_on(), first ? 1u : 0u);
  // Heard from the other one in time, it is not said again, nor taken for news.
  hear_live(other, {said}, kNorth);
  pass(5s);
  EXPECT_EQ(handed_on(), 0u);
  EXPECT_EQ(replica_->stats().duplicates, 0u);
}

TEST_F(FollowedGatewayTest, WhoMayNotIsToldNothing) {
  Peer keeper{Role::agent}, agent{Role::agent}, stranger{Role::agent};
  meet(keeper, true, false);
  meet(agent, false, false);
  for (Peer* peer : {&keeper, &agent, &stranger}) {
    EXPECT_THAT(told(*peer, {{"pump"}}), IsEmpty());
    hear_live(pump_, {pump_.samples()}, kSouth);
    serve();
    EXPECT_EQ(handed_on(), 0u);
  }
  EXPECT_EQ(refused("untrusted"), 2u) << "the keeper's question was one for its own cell";
}

// The replica is an agent in the north that follows the pump.
class FollowingAgentTest : public ReplicaTest {
 protected:
  virtual std::vector<Followed> follows() const { return {{"pump"}}; }
  void SetUp() override { begin(); }
  void begin() {
    ReplicaOptions options = agent_options();
    options.cells = {"north"};
    options.interest.follows = follows();
    options.receiver.archives = false;
    start(std::move(options));
    serve();
    ASSERT_TRUE(step(LinkUp{}).ok());
    greet(gateway_, Role::gateway);
    serve();
    outputs_.clear();
  }
  std::size_t asked() {
    std::size_t count = 0;
    for (const Follow& follow : sent<Follow>()) {
      EXPECT_THAT(follow.follows, ElementsAre(Followed{"pump"}));
      count += 1;
    }
    return count;
  }
  // The gateway answers that it has [1..head] of these logs.
  void tell(const std::vector<std::pair<LogId, Seq>>& logs) {
    Digest::Leaf leaf{{}, true, {}};
    for (const auto& [log, head] : logs) leaf.logs.push_back({{log, head, {}, {}}, 1});
    hear(TopicClass::inbox, gateway_.node(), gateway_.wrap(Digest{{}, {}, {leaf}}));
  }

  Peer gateway_{Role::gateway}, pump_{Role::agent}, pond_{Role::agent};
};

TEST_F(FollowingAgentTest, AsksSoonAndThenNowAndThen) {
  pass(2s);
  EXPECT_EQ(asked(), 1u);
  pass(30s);
  EXPECT_EQ(asked(), 1u);
  pass(1h);
  EXPECT_THAT(asked(), AllOf(testing::Ge(12u), testing::Le(15u)));
  hear(TopicClass::gate, gateway_.node(), gateway_.hello(NodeState::down));
  pass(1h);
  EXPECT_EQ(asked(), 0u) << "nobody is there";
}

TEST_F(FollowingAgentTest, FetchesWhatItIsToldOf) {
  const SegmentRecord open = pump_.open("pump"), said = pump_.samples(3);
  tell({{pump_.log(kControlTrack), 1}, {pump_.log(), 3}});
  pass(5s);
  const std::vector<Fetch> fetches = sent<Fetch>();
  ASSERT_THAT(fetches, SizeIs(1));
  EXPECT_THAT(fetches[0].wants, SizeIs(2));
  hear_answer(gateway_, {open, said}, fetches[0].request, true);
  serve();
  EXPECT_EQ(stored(pump_.log()).head(), 3u);
}

// In its cell others are talked of as well.
TEST_F(FollowingAgentTest, TakesWhatItFollowsAndNothingElse) {
  tell({{pump_.log(kControlTrack), 1}});
  hear_live(gateway_, {pump_.open("pump"), pump_.samples(2), pond_.open("pond")});
  serve();
  EXPECT_EQ(stored(pump_.log()).head(), 2u);
  EXPECT_EQ(stored(pond_.log(kControlTrack)).head(), 0u);
  greet(pond_, Role::agent, {{pond_.log().epoch, kControlTrack, 1}});
  hear_live(pond_, {pond_.samples()});
  pass(5s);
  for (const Fetch& fetch : sent<Fetch>()) {
    for (const Fetch::Want& want : fetch.wants) EXPECT_NE(want.log.node, pond_.node());
  }
}

// It meets one of that name in its own cell, of which it follows one track alone. What that says of
// others comes with track 0, and is no reason to fetch them.
class OneTrackTest : public FollowingAgentTest {
 protected:
  std::vector<Followed> follows() const override { return {{"pump", kSamplesTrack}}; }
  std::vector<LogId> fetched() {
    std::vector<LogId> logs;
    for (const Fetch& fetch : sent<Fetch>()) {
      for (const Fetch::Want& want : fetch.wants) logs.push_back(want.log);
    }
    return logs;
  }
};

TEST_F(OneTrackTest, OtherTracksAreNotWanted) {
  const Epoch epoch = pump_.log().epoch;
  const LogId other{pump_.node(), epoch, Track{9}}, sealed{pump_.node(), epoch, Track{10}};
  pump_.name = "pump";
  const std::vector<Hello::Head> heads{
      {epoch, kControlTrack, 2}, {epoch, kSamplesTrack, 3}, {epoch, other.track, 7}};
  greet(pump_, Role::agent, heads);
  pass(5s);
  EXPECT_THAT(fetched(), AllOf(Contains(pump_.log()), Not(Contains(other))));
  const Lost lost{epoch, other.track, {{.first = 4, .last = 5}}};
  hear_live(pump_, {pump_.open("pump"), pump_.control({lost, Seal{epoch, sealed.track, 5, {}}})});
  serve();
  ASSERT_EQ(stored(pump_.log(kControlTrack)).head(), 2u);
  const Vector vector{{{pump_.log(), 3, {}, {}}, {other, 7, {}, {}}, {sealed, 5, {}, {}}}, true};
  for (const bool restarted : {false, true}) {
    if (restarted) begin(), greet(pump_, Role::agent, heads);
    pass(1min);
    hear(TopicClass::gossip, pump_.node(), pump_.wrap(vector));
    pass(1min);
    EXPECT_THAT(fetched(), AllOf(Contains(pump_.log()), Each(pump_.log())));
    EXPECT_LE(status(other).head, 5u) << "nor is it missing";
  }
}

// All of one in its own cell.
TEST_F(FollowingAgentTest, TakesWhatASuchNodeSaysItself) {
  pump_.name = "pump";
  greet(pump_, Role::agent);
  hear_live(pump_, {pump_.open("pump"), pump_.samples(2)});
  serve();
  EXPECT_EQ(stored(pump_.log()).head(), 2u);
}

// Nor of what comes to its inbox, whatever it is said to answer.
TEST_F(FollowingAgentTest, TakesNothingElseFromItsInbox) {
  hear(TopicClass::inbox, pond_.node(), pond_.segments({pond_.open("pond")}, 0));
  hear(TopicClass::inbox, gateway_.node(), gateway_.segments({pond_.open("pond")}, 77));
  serve();
  EXPECT_EQ(stored(pond_.log(kControlTrack)).head(), 0u);
}

// A gateway that was gone may have forgotten who follows, though nobody here saw it go.
TEST_F(FollowingAgentTest, AsksAgainWhenTheGatewaySaysHello) {
  pass(1h);
  (void)asked();
  hear(TopicClass::gate, gateway_.node(), gateway_.hello());
  pass(2s);
  EXPECT_EQ(asked(), 1u);
}

// Whom a gateway names is called otherwise, as its log says.
TEST_F(FollowingAgentTest, ANameIsWhatTheLogSays) {
  tell({{pond_.log(kControlTrack), 1}});
  hear_live(gateway_, {pond_.open("pond")});
  serve();
  hear_live(gateway_, {pond_.samples(2)});
  serve();
  EXPECT_EQ(stored(pond_.log()).head(), 0u);
}

}  // namespace
}  // namespace dunlin::replication
