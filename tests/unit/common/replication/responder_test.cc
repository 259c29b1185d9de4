#include "common/replication/responder.h"

#include "tests/unit/common/replication/replica_fixture.h"

namespace dunlin::replication {
namespace {

using namespace test;
using Carried = std::vector<std::pair<Track, Interval>>;

constexpr std::uint64_t kAmple = 1 << 20;
constexpr std::uint64_t kBound = 1 << 30;  // of the database

// An agent with track 0 of two entries and five segments of readings, each of some 4000 bytes.
class ResponderTest : public ReplicaTest {
 protected:
  ResponderTest() {
    ReplicaOptions options = agent_options();
    options.origin.storage_bytes_max = kBound;
    start(std::move(options));
    for (int i = 0; i < 5; ++i) store_entry(4000);
    serve();
    EXPECT_TRUE(step(LinkUp{}).ok());
    greet(peer_, Role::gateway);
    serve();
    outputs_.clear();
  }
  void ask(Peer& peer, std::uint64_t request, std::uint64_t credit,
           std::vector<Fetch::Want> wants) {
    hear(TopicClass::inbox, peer.node(), peer.wrap(Fetch{request, credit, std::move(wants)}));
  }
  Fetch::Want want(Seq first, Seq last, Track track = kSamplesTrack) const {
    return {own(track), set_of(first, last)};
  }
  // Answers every read; takes what was sent.
  std::vector<Segments> answers() {
    serve();
    return sent<Segments>();
  }
  std::size_t segment_bytes() const { return store_->oldest(own(), 1).value()[0].bytes; }

  Peer peer_{Role::gateway};
};

TEST_F(ResponderTest, SendsTheNewestFirst) {
  ask(peer_, 9, kAmple, {want(1, 4)});
  const auto messages = answers();
  EXPECT_EQ(carried(messages), (Carried{{kSamplesTrack, {4, 4}},
                                        {kSamplesTrack, {3, 3}},
                                        {kSamplesTrack, {2, 2}},
                                        {kSamplesTrack, {1, 1}}}));
  ASSERT_FALSE(messages.empty());
  for (const Segments& message : messages) {
    EXPECT_EQ(message.request, 9u);
    EXPECT_EQ(message.lane, Lane::bulk);
    EXPECT_EQ(message.done, &message == &messages.back());
  }
}

// Readings are for gateways; who is none gets nothing.
TEST_F(ResponderTest, ServesGatewaysAlone) {
  Peer agent{Role::agent};
  greet(agent, Role::agent);
  ask(agent, 9, kAmple, {want(1, 4)});
  EXPECT_TRUE(answers().empty());
}

TEST_F(ResponderTest, SendsControlBeforeAll) {
  ask(peer_, 9, kAmple, {want(5, 5), want(1, 2, kControlTrack)});
  const Carried found = carried(answers());
  ASSERT_GE(found.size(), 2u);
  EXPECT_EQ(found.front().first, kControlTrack);
  EXPECT_EQ(found.back(), (std::pair{kSamplesTrack, Interval{5, 5}}));
}

TEST_F(ResponderTest, SendsNoMoreThanTheCreditAndAWholeSegment) {
  ask(peer_, 9, segment_bytes() + 10, {want(1, 5)});
  auto messages = answers();
  Carried found = carried(messages);
  EXPECT_EQ(found, (Carried{{kSamplesTrack, {5, 5}}, {kSamplesTrack, {4, 4}}}));
  for (const Segments& message : messages) EXPECT_FALSE(message.done);
  EXPECT_TRUE(answers().empty());
  ask(peer_, 9, 1, {});
  EXPECT_EQ(carried(answers()), (Carried{{kSamplesTrack, {3, 3}}}));
  ask(peer_, 9, kAmple, {});
  messages = answers();
  EXPECT_EQ(carried(messages), (Carried{{kSamplesTrack, {2, 2}}, {kSamplesTrack, {1, 1}}}));
  EXPECT_TRUE(messages.back().done);
}

TEST_F(ResponderTest, ANewRequestReplacesTheFormer) {
  ask(peer_, 9, kAmple, {want(1, 5)});
  const auto reads = take<Read>();
  ASSERT_EQ(reads.size(), 1u);
  ask(peer_, 10, kAmple, {want(2, 2)});
  answer(reads[0]);  // comes too late
  const auto messages = answers();
  EXPECT_EQ(carried(messages), (Carried{{kSamplesTrack, {2, 2}}}));
  for (const Segments& message : messages) EXPECT_EQ(message.request, 10u);
  // Credit for what is forgotten is answered with the end.
  ask(peer_, 9, kAmple, {});
  const auto end = answers();
  ASSERT_EQ(end.size(), 1u);
  EXPECT_EQ(end[0].request, 9u);
  EXPECT_TRUE(end[0].done);
  EXPECT_TRUE(end[0].segments.empty());
}

TEST_F(ResponderTest, ServesSeveralRequesters) {
  Peer other(Role::gateway);
  greet(other, Role::gateway);
  serve();
  (void)take<Send>();
  ask(peer_, 9, kAmple, {want(1, 1)});
  ask(other, 10, kAmple, {want(5, 5)});
  serve();
  std::map<NodeId, Carried> received;
  for (const Send& send : take<Send>()) {
    EXPECT_EQ(send.topic, TopicClass::inbox);
    const auto envelope = decode_envelope(send.payload).value();
    const Carried found = carried({std::get<Segments>(envelope.message)});
    received[send.target].insert(received[send.target].end(), found.begin(), found.end());
  }
  EXPECT_EQ(received, (std::map<NodeId, Carried>{{peer_.node(), {{kSamplesTrack, {1, 1}}}},
                                                 {other.node(), {{kSamplesTrack, {5, 5}}}}}));
}

// Of a cell whose agents keep it hundreds may ask within a second.
TEST_F(ResponderTest, WhoWasAnsweredTakesNobodysPlace) {
  for (int n = 0; n < 70; ++n) {
    Peer other(Role::gateway);
    greet(other, Role::gateway);
    serve();
    outputs_.clear();
    ask(other, 9, kAmple, {want(5, 5)});
    EXPECT_EQ(carried(answers()), (Carried{{kSamplesTrack, {5, 5}}})) << n;
  }
}

TEST_F(ResponderTest, EndsWhereItHasNothing) {
  const LogId unknown{peer_.node(), Epoch{1}, kSamplesTrack};
  ask(peer_, 9, kAmple, {{unknown, set_of(1, 100)}, want(6, 50)});
  const auto messages = answers();
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_TRUE(messages[0].done);
  EXPECT_TRUE(messages[0].segments.empty());
}

// Otherwise the oldest would go while what is newer is sent.
TEST_F(ResponderTest, AQuarterIsTheOldestOfALogThatRunsOutOfRoom) {
  for (int i = 0; i < 35; ++i) store_entry(4000);
  serve();
  outputs_.clear();
  const auto oldest_among = [&](std::uint64_t request, std::size_t first_bytes) {
    ask(peer_, request, first_bytes, {want(1, 40)});
    Carried found = carried(answers());
    const auto is_old = [](const auto& item) { return item.second.last <= 10; };
    const auto old = static_cast<std::size_t>(std::count_if(found.begin(), found.end(), is_old));
    for (Seq seq = 1; seq <= old; ++seq)
      EXPECT_EQ(
          std::count(found.begin(), found.end(), std::pair{kSamplesTrack, Interval{seq, seq}}), 1)
          << seq;
    EXPECT_NEAR(static_cast<double>(found.size()), 20, 4);
    return old;
  };
  const std::uint64_t half = 20 * segment_bytes();
  EXPECT_EQ(oldest_among(9, half), 0u);
  ASSERT_TRUE(
      step(StorageUsed{.bytes = kBound, .disk_free = kBound, .own = {{own(), kBound}}}).ok());
  EXPECT_NEAR(static_cast<double>(oldest_among(10, half)), 5, 1);
  // All of it comes, once.
  ask(peer_, 11, kAmple, {want(1, 40)});
  Carried all = carried(answers());
  std::sort(all.begin(), all.end());
  ASSERT_EQ(all.size(), 40u);
  for (Seq seq = 1; seq <= 40; ++seq) EXPECT_EQ(all[seq - 1].second, (Interval{seq, seq}));
  ASSERT_TRUE(
      step(StorageUsed{.bytes = kBound / 2, .disk_free = kBound, .own = {{own(), 1}}}).ok());
  EXPECT_EQ(oldest_among(12, half), 0u);
}

TEST_F(ResponderTest, SkipsWhatCannotBeRead) {
  IntervalSet wanted = set_of(1, 1);
  wanted.insert({5, 5});
  ask(peer_, 9, kAmple, {{own(), wanted}});
  const auto reads = take<Read>();
  ASSERT_EQ(reads.size(), 1u);
  ASSERT_TRUE(step(ReadFinished{reads[0].token, Error{Errc::io, "a test said so"}}).ok());
  const auto messages = answers();
  EXPECT_EQ(carried(messages), (Carried{{kSamplesTrack, {1, 1}}}));
  EXPECT_TRUE(messages.back().done);
}

TEST_F(ResponderTest, ForgetsEverybodyWhenTheLinkBreaks) {
  ask(peer_, 9, kAmple, {want(1, 5)});
  ASSERT_TRUE(step(LinkDown{}).ok());
  EXPECT_TRUE(answers().empty());
}

}  // namespace
}  // namespace dunlin::replication
