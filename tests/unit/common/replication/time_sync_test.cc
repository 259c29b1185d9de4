#include "common/replication/time_sync.h"

#include "tests/unit/common/replication/replica_fixture.h"

namespace dunlin::replication {
namespace {

using namespace test;

constexpr UtcMicros kUtc = SegmentMaker::kStart;

class TimeSyncTest : public ReplicaTest {
 protected:
  void start_agent(bool synchronised) {
    now_.synchronised = synchronised;
    if (!synchronised) now_.utc = 86'400'000'000;  // 1970
    ReplicaOptions options = agent_options();
    options.origin.boot = 3;
    options.origin.boot_id = "kernel";
    start(std::move(options));
    serve();
    ASSERT_TRUE(step(LinkUp{}).ok());
    outputs_.clear();
  }
  void append_since_boot() {
    Append append{kNoise, Rows(2), true, next_ticket()};
    append.rows.begin_row(now_.mono.time_since_epoch().count());
    append.rows.add_integer(1), append.rows.add_text("x");
    ASSERT_TRUE(step(std::move(append)).ok());
    ASSERT_TRUE(step(Flush{}).ok());
  }
  // Every anchor that was asked to be written, and all is written.
  std::vector<TimeAnchor> anchors() {
    std::vector<TimeAnchor> found;
    for (int i = 0; i < 3; ++i) {
      pass(5ms);
      for (const Write& write : take<Write>()) {
        for (const SegmentRecord& segment : write.segments) {
          for (const Entry& entry : segment.control) {
            for (const Op& op : entry.ops) {
              if (const auto* anchor = std::get_if<TimeAnchor>(&op)) found.push_back(*anchor);
            }
          }
        }
        finish(write);
      }
    }
    return found;
  }
  void answer(const TimeQuery& query, UtcMicros utc) {
    hear(TopicClass::inbox, gateway_.node(),
         gateway_.time_reply(replica_->self(), query.request, utc));
  }
  Hello greeting() {
    EXPECT_TRUE(step(LinkDown{}).ok());
    EXPECT_TRUE(step(LinkUp{}).ok());
    const auto hellos = sent<Hello>();
    EXPECT_EQ(hellos.size(), 1u);
    return hellos.empty() ? Hello{} : hellos.back();
  }

  Peer gateway_{Role::gateway};
};

TEST_F(TimeSyncTest, AGatewayTellsTheTimeAndTheAnchorHasHalfOfTheDelay) {
  start_agent(false);
  append_since_boot();
  EXPECT_TRUE(anchors().empty());
  EXPECT_EQ(greeting().utc, std::nullopt);
  greet(gateway_, Role::gateway);
  const auto asked = sent<TimeQuery>();
  ASSERT_EQ(asked.size(), 1u);
  pass(300ms);
  answer(asked[0], kUtc);
  const std::int64_t monotonic = now_.mono.time_since_epoch().count();
  EXPECT_EQ(anchors(),
            (std::vector<TimeAnchor>{{3, "kernel", monotonic, kUtc + 150'000, 150'000}}));
  append_since_boot();  // its boot is anchored
  EXPECT_TRUE(anchors().empty());
  answer(asked[0], kUtc + 1'000'000'000);  // said twice
  const auto utc = greeting().utc;
  ASSERT_TRUE(utc);
  EXPECT_EQ(*utc - kUtc, now_.mono.time_since_epoch().count() - monotonic + 150'000);
  append_entry();
  EXPECT_GE(greeting().hlc, Hlc::of(kUtc / 1000, 0));
  EXPECT_EQ(refusals(), 0u);
}

TEST_F(TimeSyncTest, AGatewayOfANewerMinorVersionTellsTheTime) {
  start_agent(false);
  gateway_.minor = 7;
  gateway_.later = {2, {0xf6, 0x05}};
  greet(gateway_, Role::gateway);
  const auto asked = sent<TimeQuery>();
  ASSERT_EQ(asked.size(), 1u);
  const Bytes reply = gateway_.time_reply(replica_->self(), asked[0].request, kUtc);
  Bytes altered = reply;
  altered.back() ^= 1;
  hear(TopicClass::inbox, gateway_.node(), altered);
  EXPECT_EQ(replica_->stats().refused.at("bad_signature"), 1u);
  hear(TopicClass::inbox, gateway_.node(), reply);
  EXPECT_EQ(greeting().utc, kUtc);
  EXPECT_EQ(replica_->stats().unknown.fields, 4u);  // of its Hello and its TimeReply
}

TEST_F(TimeSyncTest, OnlyTheGatewayThatWasAskedIsHeard) {
  start_agent(false);
  append_since_boot();
  greet(gateway_, Role::gateway);
  const auto asked = sent<TimeQuery>();
  ASSERT_EQ(asked.size(), 1u);
  Peer agent(Role::agent), other(Role::gateway);
  greet(other, Role::gateway);
  const auto tell = [&](Peer& peer, std::uint64_t request) {
    hear(TopicClass::inbox, peer.node(),
         peer.time_reply(replica_->self(), request, kUtc + 5'000'000));
  };
  tell(agent, asked[0].request);
  tell(other, asked[0].request);
  tell(gateway_, asked[0].request + 1);
  TimeReply forged{replica_->self(), asked[0].request, kUtc, {}};
  hear(TopicClass::inbox, gateway_.node(), gateway_.wrap(forged));
  answer(asked[0], kEarliestPlausibleUtc - 1);
  EXPECT_TRUE(anchors().empty());
  EXPECT_EQ(refusals(), 3u);  // of the agent, forged, of another age
  answer(asked[0], kUtc);
  EXPECT_EQ(anchors().size(), 1u);
}

TEST_F(TimeSyncTest, AsksTheGatewaysInTurnEverMoreSeldom) {
  start_agent(false);
  Peer other(Role::gateway);
  greet(gateway_, Role::gateway);
  greet(other, Role::gateway);
  std::map<NodeId, int> asked;
  for (int i = 0; i < 600; ++i) {
    pass(1s);
    for (const Send& send : take<Send>()) asked[send.target] += send.message == "time_query";
  }
  EXPECT_NEAR(asked[gateway_.node()], asked[other.node()], 1);
  EXPECT_GE(asked[other.node()], 5);
  EXPECT_LE(asked[other.node()], 12);
}

TEST_F(TimeSyncTest, AnAnswerThatTookTooLongTellsNothing) {
  start_agent(false);
  append_since_boot();
  greet(gateway_, Role::gateway);
  const auto asked = sent<TimeQuery>();
  pass(31s);
  answer(asked.at(0), kUtc);
  EXPECT_TRUE(anchors().empty());
}

TEST_F(TimeSyncTest, TheOwnClockAnchorsWhenItBecomesGood) {
  start_agent(false);
  append_since_boot();
  EXPECT_TRUE(anchors().empty());
  now_.utc = kUtc, now_.synchronised = true;
  pass(60s);  // nobody says so: it looks by itself
  const auto found = anchors();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].utc_us - found[0].monotonic_us,
            now_.utc - now_.mono.time_since_epoch().count());
  EXPECT_EQ(found[0].uncertainty_us, 1'000'000u);
  EXPECT_TRUE(sent<TimeQuery>().empty());
}

TEST_F(TimeSyncTest, WhoHasNoReadingsOfItsBootWritesNoAnchor) {
  start_agent(true);
  append_entry();
  EXPECT_TRUE(anchors().empty());
  append_since_boot();  // taken before the clock was set, say
  EXPECT_EQ(anchors().size(), 1u);
}

// The process that comes next in the same boot knows what the former one left to do.
TEST_F(TimeSyncTest, ARestartInTheSameBootGoesOn) {
  start_agent(false);
  append_since_boot();
  EXPECT_TRUE(anchors().empty());
  now_.utc = kUtc, now_.synchronised = true;
  ReplicaOptions options = agent_options();
  options.origin.boot = 3;
  start(options);
  ASSERT_EQ(anchors().size(), 1u);
  now_.synchronised = false;
  start(options);
  append_since_boot();
  EXPECT_TRUE(anchors().empty());  // there is one
  ASSERT_TRUE(step(LinkUp{}).ok());
  EXPECT_NEAR(static_cast<double>(sent<Hello>().at(0).utc.value_or(0)),
              static_cast<double>(now_.utc), 1e6);  // and it tells the time
  options.origin.boot = 4;
  start(options);
  append_since_boot();
  EXPECT_TRUE(anchors().empty());
  now_.synchronised = true;
  pass(60s);
  EXPECT_EQ(anchors().size(), 1u);
}

TEST_F(TimeSyncTest, AGatewayAnswersWhileItKnowsTheTime) {
  start(gateway_options());
  serve();
  ASSERT_TRUE(step(LinkUp{}).ok());
  Peer agent;
  greet(agent, Role::agent);
  const auto ask = [&](std::uint64_t request) {
    hear(TopicClass::inbox, agent.node(), agent.wrap(TimeQuery{request}));
  };
  ask(5);
  const auto replies = sent<TimeReply>();
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_EQ(replies[0].utc, now_.utc);
  EXPECT_EQ(replies[0].request, 5u);
  EXPECT_EQ(replies[0].asker, agent.node());
  const Bytes statement = time_statement(replica_->self(), replies[0]);
  EXPECT_TRUE(verifier_->verify(key_->public_key(), statement, replies[0].signature).ok());
  now_.synchronised = false;
  ask(6);
  EXPECT_TRUE(sent<TimeReply>().empty());
  now_.synchronised = true;
  // Each costs a signature: one that asks for ever is in nobody's way.
  for (std::uint64_t n = 0; n < 1000; ++n) ask(100 + n);
  EXPECT_EQ(sent<TimeReply>().size(), 0u);
  Peer other;
  greet(other, Role::agent);
  hear(TopicClass::inbox, other.node(), other.wrap(TimeQuery{7}));
  EXPECT_EQ(sent<TimeReply>().size(), 1u);
  pass(1s);
  for (std::uint64_t n = 0; n < 1000; ++n) ask(2000 + n);
  EXPECT_EQ(sent<TimeReply>().size(), 1u);
}

TEST_F(TimeSyncTest, SkewIsThatOfTheLastFreshHello) {
  start(gateway_options());
  serve();
  ASSERT_TRUE(step(LinkUp{}).ok());
  Peer agent;
  agent.utc = now_.utc + 90'000'000;
  hear(TopicClass::hello, agent.node(), agent.hello());
  const auto skew = [&] { return known(agent.node())->skew; };
  EXPECT_EQ(skew(), 90s);
  EXPECT_EQ(known(agent.node())->synchronised, true);
  pass(10min);
  EXPECT_EQ(skew(), 90s);
  now_.utc += 90'000'000;  // it was ours that was wrong
  EXPECT_EQ(skew(), 0s);
  agent.utc.reset();
  hear(TopicClass::hello, agent.node(), agent.hello());
  EXPECT_EQ(skew(), std::nullopt);
  EXPECT_EQ(known(agent.node())->synchronised, false);

  Peer old;
  old.utc = now_.utc - 5'000'000;
  EXPECT_TRUE(step(Received{TopicClass::hello, old.node(), old.hello(), true}).ok());
  EXPECT_EQ(known(old.node())->synchronised, std::nullopt);  // the broker kept it since who knows
  EXPECT_EQ(known(old.node())->skew, std::nullopt);
}

TEST_F(TimeSyncTest, HelloGoesOutAgainWhenTheClockJumpsAndForAGatewayThatComes) {
  start_agent(true);
  pass(1min);
  EXPECT_TRUE(sent<Hello>().empty());
  now_.utc += 500'000;
  pass(1min);
  EXPECT_TRUE(sent<Hello>().empty());
  now_.utc -= 3'600'000'000;
  pass(5min);  // noticed with whatever it does next, with its Vector at the latest
  const auto after = sent<Hello>();
  ASSERT_EQ(after.size(), 1u);
  EXPECT_LE(std::abs(*after[0].utc - now_.utc), 301'000'000);
  greet(gateway_, Role::gateway);
  pass(3s);
  EXPECT_EQ(sent<Hello>().size(), 1u);
  greet(gateway_, Role::gateway);  // nothing new
  pass(3s);
  EXPECT_TRUE(sent<Hello>().empty());
}

TEST_F(TimeSyncTest, StampsOfPeersAdvanceTheClockByAMinuteAtMost) {
  start_agent(true);
  gateway_.hlc = Hlc::of(static_cast<std::uint64_t>(now_.utc / 1000) + 3'600'000, 0);
  greet(gateway_, Role::gateway);
  EXPECT_EQ(greeting().hlc, Hlc::of(static_cast<std::uint64_t>(now_.utc / 1000) + 60'000, 0));
}

}  // namespace
}  // namespace dunlin::replication
