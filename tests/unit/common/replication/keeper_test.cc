// Agents that keep all logs of their cell, and who may.
#include <gmock/gmock.h>

#include "tests/unit/common/replication/gateway_fixture.h"

namespace dunlin::replication {
namespace {

using namespace test;
using testing::IsEmpty;
using testing::SizeIs;

// The replica is a keeper of "north", or a gateway of it.
class KeeperTest : public GatewayTest {
 protected:
  void start_keeper() {
    ReplicaOptions options = agent_options();
    options.cells = {"north"};
    options.interest.scope = Interest::Scope::cell;
    options.receiver.archives = false;
    if (closed_) {
      options.admission = simulation::make_admission(*authority_, *verifier_);
      options.certificate = simulation::fixed_certificate(
          *authority_, {key_->node(), false, options.origin.name, true});
    }
    start(std::move(options));
    serve();
    ASSERT_TRUE(step(LinkUp{}).ok());
    outputs_.clear();
  }
  // It says that it keeps the cell; the authority may say so, too.
  void meet_keeper(Peer& keeper, bool admitted) {
    keeper.capabilities = {std::string(kKeepsCell)};
    keeper.certificate =
        simulation::fixed_certificate(*authority_, {keeper.node(), false, keeper.name, admitted});
    hear(TopicClass::gate, keeper.node(), keeper.hello());
    serve();
    outputs_.clear();
  }
  // Whether it is served segments of a log that it asks for.
  bool is_served(Peer& by, const LogId& log) {
    hear(TopicClass::inbox, by.node(), by.wrap(Fetch{9, 100'000, {{log, all_of(log)}}}));
    serve();
    bool found = false;
    for (const Segments& answer : sent<Segments>()) found = found || !answer.segments.empty();
    return found;
  }
  IntervalSet all_of(const LogId& log) {
    IntervalSet set;
    set.insert({1, stored(log).head()});
    return set;
  }
};

TEST_F(KeeperTest, StoresWhatItsCellSays) {
  start_keeper();
  Peer other{Role::agent};
  greet(other, Role::agent);
  hear_live(other, {other.open(), other.samples(3)});
  serve();
  EXPECT_EQ(stored(other.log()).head(), 3u);
  EXPECT_THAT(sent<Ack>(), IsEmpty()) << "it signs for nothing";
}

// Where all in the cell find it, as they find gateways.
TEST_F(KeeperTest, SaysSoInItsHello) {
  start_keeper();
  ASSERT_TRUE(step(LinkDown{}).ok());
  ASSERT_TRUE(step(LinkUp{}).ok());
  const auto sends = take<Send>();
  ASSERT_THAT(sends, SizeIs(1));
  EXPECT_EQ(sends[0].topic, TopicClass::gate);
  const Envelope envelope = decode_envelope(sends[0].payload).value();
  EXPECT_THAT(std::get<Hello>(envelope.message).capabilities,
              testing::Contains(std::string(kKeepsCell)));
}

// On the way messages overtake one another, so an answer may come behind the word that it is over.
TEST_F(KeeperTest, TakesAnswersThatComeLate) {
  start_keeper();
  Peer other{Role::agent}, keeper{Role::agent}, member{Role::agent};
  meet_keeper(keeper, true);
  greet(member, Role::agent);
  const SegmentRecord open = other.open();
  hear_answer(member, {open}, 77);
  serve();
  EXPECT_EQ(stored(other.log(kControlTrack)).head(), 0u) << "who keeps nothing has no answers";
  hear_answer(keeper, {open}, 77);
  serve();
  EXPECT_EQ(stored(other.log(kControlTrack)).head(), 1u);
}

// What it said as a keeper stands where others look first, under the nonce of that time.
TEST_F(KeeperTest, WhoIsNoneAnyMoreTakesItsFormerHelloAway) {
  for (const bool keeper : {true, false}) {
    if (keeper) {
      start_keeper();
    } else {
      start(agent_options());
      serve();
      ASSERT_TRUE(step(LinkUp{}).ok());
      outputs_.clear();
    }
    Peer former(Role::agent, std::shared_ptr<Signer>(std::shared_ptr<Signer>(), key_.get()));
    former.capabilities = {std::string(kKeepsCell)};
    hear(TopicClass::gate, key_->node(), former.hello());
    std::size_t cleared = 0;
    for (const Send& send : take<Send>()) {
      if (!send.payload.empty()) continue;
      EXPECT_EQ(send.topic, TopicClass::gate);
      EXPECT_EQ(send.target, key_->node());
      cleared += 1;
    }
    EXPECT_EQ(cleared, keeper ? 0u : 1u);
  }
}

TEST_F(KeeperTest, AnAgentThatIsNoneStoresNothing) {
  start(agent_options());
  serve();
  ASSERT_TRUE(step(LinkUp{}).ok());
  Peer other{Role::agent};
  greet(other, Role::agent);
  hear_live(other, {other.open(), other.samples(3)});
  serve();
  EXPECT_THAT(store_->logs(), SizeIs(1)) << "its own";
}

// A gateway's logs are the backbone's.
TEST_F(KeeperTest, KeepsLogsOfAgentsAlone) {
  start_keeper();
  Peer gateway{Role::gateway};
  greet(gateway, Role::gateway, {{gateway.log().epoch, kControlTrack, 1}});
  pass(5s);
  EXPECT_THAT(sent<Fetch>(), IsEmpty());
}

// Without a gateway somebody has to confirm an origin's database; alone it always does.
TEST_F(KeeperTest, AnswersOriginsWhereNoGatewayIs) {
  start_keeper();
  Peer other{Role::agent};
  greet(other, Role::agent);
  EXPECT_THAT(sent<Vector>(), SizeIs(1));
  hear(TopicClass::gossip, other.node(), other.wrap(Vector{}));
  EXPECT_THAT(sent<Vector>(), SizeIs(1));
  Peer gateway{Role::gateway};
  greet(gateway, Role::gateway);
  outputs_.clear();
  hear(TopicClass::gossip, other.node(), other.wrap(Vector{}));
  EXPECT_THAT(sent<Vector>(), IsEmpty()) << "the gateway does";
}

TEST_F(KeeperTest, IsServedItsCellIfTheAuthoritySaysThatItIsOne) {
  close_fleet();
  start_linked();
  Peer other{Role::agent};
  (void)meet_agent(other);
  for (const bool admitted : {false, true}) {
    Peer keeper{Role::agent};
    meet_keeper(keeper, admitted);
    EXPECT_EQ(is_served(keeper, other.log().control()), admitted);
    EXPECT_FALSE(is_served(keeper, LogId{key_->node(), Epoch{7}, kControlTrack}))
        << "a gateway's log is no agent's";
  }
}

TEST_F(KeeperTest, IsNotServedOtherCells) {
  ReplicaOptions options = gateway_options();
  options.cells = {"north", "south"};
  options.admission = simulation::make_admission(*authority_, *verifier_);
  options.certificate = certificate(*key_, true, options.origin.name);
  start(std::move(options));
  serve();
  ASSERT_TRUE(step(LinkUp{}).ok());
  Peer here{Role::agent}, there{Role::agent}, keeper{Role::agent};
  CellIndex cell = 0;
  for (Peer* peer : {&here, &there}) {
    peer->certificate = certificate(peer->key(), false, peer->name);
    greet(*peer, Role::agent, {}, cell++);
    hear_live(*peer, {peer->open()});
    serve();
  }
  meet_keeper(keeper, true);
  EXPECT_TRUE(is_served(keeper, here.log().control()));
  EXPECT_FALSE(is_served(keeper, there.log().control()));
}

// Whom a keeper lists as one of its cell may be of another one, by its certificate.
TEST_F(KeeperTest, CannotClaimANodeForItsCell) {
  close_fleet();
  start_linked();
  Peer beyond{Role::gateway}, keeper{Role::agent};
  meet(beyond, {kCore});
  meet_keeper(keeper, true);
  for (const auto& [name, served] : {std::pair("far@south", false), std::pair("far@north", true)}) {
    Peer far{Role::agent};
    const SegmentRecord open = far.open();
    Segments message{.lane = Lane::live, .segments = {open.bytes}};
    message.certificates = {certificate(far.key(), false, name)};
    hear(TopicClass::live, beyond.node(), beyond.wrap(message), kCore);
    serve();
    ASSERT_EQ(stored(far.log(kControlTrack)).head(), 1u);
    const Digest::Log listed{{far.log(kControlTrack), 1, open.info.after, {}}, 1};
    hear(TopicClass::inbox, keeper.node(),
         keeper.wrap(Digest{{{1}, {2}}, {}, {{{}, true, {listed}}}}));
    EXPECT_EQ(is_served(keeper, far.log(kControlTrack)), served) << name;
  }
}

// An agent that is none knows keepers, so that they may fetch its log and confirm its database.
TEST_F(KeeperTest, IsServedByTheOriginItself) {
  start(agent_options());
  store_entry();
  ASSERT_TRUE(step(LinkUp{}).ok());
  Peer keeper{Role::agent}, stranger{Role::agent};
  EXPECT_FALSE(is_served(stranger, own()));
  meet_keeper(keeper, true);
  EXPECT_TRUE(is_served(keeper, own()));
}

// What it said of the origin's logs may have come before its Hello, and nothing else would have it
// say so again.
TEST_F(KeeperTest, IsAskedByAnOriginThatMeetsIt) {
  start(agent_options());
  store_entry();
  start(agent_options());
  serve();
  ASSERT_TRUE(step(LinkUp{}).ok());
  pass(1s);
  EXPECT_THAT(sent<Vector>(), IsEmpty());
  Peer keeper{Role::agent};
  meet_keeper(keeper, true);
  pass(2s);
  EXPECT_THAT(sent<Vector>(), testing::Not(IsEmpty()));
}

// A gateway compares with it in the cell, and not before it is there.
TEST_F(KeeperTest, HasGatewaysCompareInItsCell) {
  close_fleet();
  start_linked();
  Peer keeper{Role::agent};
  const auto digests = [&] { return sent_in<Digest>(kNorth).size(); };
  pass(100s);
  EXPECT_EQ(digests(), 0u);
  meet_keeper(keeper, true);
  pass(10s);
  EXPECT_EQ(digests(), 1u);
}

}  // namespace
}  // namespace dunlin::replication
