#include "common/replication/forwarder.h"

#include "common/log/limits.h"
#include "tests/unit/common/replication/gateway_fixture.h"

namespace dunlin::replication {
namespace {

using namespace test;

class ForwarderTest : public GatewayTest {
 protected:
  // `beyond_` serves other cells only. `near_` serves ours as well, where the test wants that.
  void start_among(bool near) {
    start_linked();
    meet(beyond_, {kCore});
    if (near) meet(near_, {kNorth, kCore});
    outputs_.clear();
  }
  // Stored from our cell.
  void hear_stored(Peer& agent, const std::vector<SegmentRecord>& segments) {
    hear_live(agent, segments);
    serve();
  }
  void hear_forwarded(Peer& gateway, const std::vector<SegmentRecord>& segments) {
    hear_live(gateway, segments, kCore);
  }
  // Messages of segments that went to the backbone for all.
  std::vector<Segments> forwarded(TopicClass topic = TopicClass::live) {
    std::vector<Segments> found;
    for (Sent& sent : sent_in<Segments>(kCore)) {
      EXPECT_EQ(sent.send.topic, topic);
      EXPECT_EQ(sent.send.target, replica_->self());
      EXPECT_LE(sent.send.payload.size(), kMessageBytesMax);
      found.push_back(std::get<Segments>(std::move(sent.envelope.message)));
    }
    return found;
  }
  std::size_t count_forwarded() {
    std::size_t count = 0;
    for (const Segments& message : forwarded()) count += message.segments.size();
    return count;
  }
  // Of whom the other gateway of our cell is to speak.
  Peer of_near() {
    Peer agent = of_rank(1, {near_.node()});
    hear_forwarded(near_, {meet_agent(agent)});
    outputs_.clear();
    return agent;
  }

  Peer near_{Role::gateway};
  Peer beyond_{Role::gateway};
};

TEST_F(ForwarderTest, ForwardsOnceByteForByteAndNotBeforeTheCommit) {
  start_among(false);
  Peer agent;
  meet_agent(agent);
  outputs_.clear();
  const SegmentRecord record = agent.samples(3);
  hear_live(agent, {record});
  EXPECT_EQ(count_forwarded(), 0u);
  for (const Write& write : take<Write>()) finish(write);
  const std::vector<Segments> messages = forwarded();
  ASSERT_EQ(messages.size(), 1u);
  ASSERT_EQ(messages[0].segments.size(), 1u);
  EXPECT_EQ(*messages[0].segments[0], *record.bytes);
  EXPECT_EQ(messages[0].request, 0u);
  EXPECT_EQ(messages[0].lane, Lane::live);
  hear_stored(agent, {record});  // once more
  pass(10min);
  EXPECT_EQ(count_forwarded(), 0u);
}

TEST_F(ForwarderTest, WhatCouldNotBeStoredIsNotForwarded) {
  start_among(false);
  Peer agent;
  meet_agent(agent);
  outputs_.clear();
  hear_live(agent, {agent.samples()});
  for (const Write& write : take<Write>()) fail(write);
  pass(10s);
  EXPECT_EQ(count_forwarded(), 0u);
}

TEST_F(ForwarderTest, FillsMessagesAndNoMoreThanThat) {
  start_among(false);
  Peer agent;
  meet_agent(agent);
  outputs_.clear();
  std::vector<SegmentRecord> many;
  for (int i = 0; i < 9; ++i) many.push_back(agent.samples(1, 15'000));
  hear_stored(agent, many);
  std::size_t segments = 0, messages = 0;
  for (const Segments& message : forwarded()) {
    std::size_t bytes = 0;
    for (const auto& each : message.segments) bytes += each->size();
    EXPECT_LE(bytes, 64u * 1024);
    segments += message.segments.size();
    messages += 1;
  }
  EXPECT_EQ(segments, 9u);
  EXPECT_LE(messages, 4u);
}

// Who hears a log begin may never have met its node.
TEST_F(ForwarderTest, TheCertificateGoesWithTheBeginning) {
  close_fleet();
  start_among(false);
  Peer agent;
  meet_agent(agent);
  std::vector<Segments> messages = forwarded();
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].certificates, std::vector<Bytes>{agent.certificate});
  hear_stored(agent, {agent.define(1)});
  hear_stored(agent, {agent.samples()});
  messages = forwarded();
  ASSERT_EQ(messages.size(), 2u);
  for (const Segments& message : messages) EXPECT_TRUE(message.certificates.empty());
}

TEST_F(ForwarderTest, NothingIsForwardedWhereAllServeTheCell) {
  start_linked();
  meet(near_, {kNorth, kCore});
  Peer agent;
  meet_agent(agent);
  hear_stored(agent, {agent.samples()});
  pass(10s);
  EXPECT_EQ(count_forwarded(), 0u);
  meet(beyond_, {kCore});
  Peer ours = of_rank(0, {near_.node()});
  meet_agent(ours);
  EXPECT_EQ(count_forwarded(), 1u);
}

TEST_F(ForwarderTest, WhatCameThroughTheBackboneStaysThere) {
  start_among(false);
  Peer agent;
  hear_forwarded(beyond_, {agent.open(), agent.samples()});
  serve();
  EXPECT_EQ(stored(agent.log()).head(), 1u);
  pass(10s);
  EXPECT_EQ(count_forwarded(), 0u);
}

// What it holds in the same bytes it does not even look at again.
TEST_F(ForwarderTest, TheSecondKeepsQuietWhileItHearsTheFirst) {
  start_among(true);
  Peer agent = of_near();
  const SegmentRecord record = agent.samples(3);
  hear_stored(agent, {record});
  const std::uint64_t decoded = replica_->stats().decoded_bytes;
  const std::uint64_t duplicates = replica_->stats().duplicates;
  pass(500ms);
  hear_forwarded(near_, {record});
  EXPECT_EQ(replica_->stats().decoded_bytes, decoded);
  EXPECT_EQ(replica_->stats().duplicates, duplicates);
  pass(10s);
  EXPECT_EQ(count_forwarded(), 0u);
  // Encoded otherwise it is another one, and as good.
  EXPECT_EQ(stored(agent.log()).head(), 3u);
}

// A slow disk is no reason to say everything twice.
TEST_F(ForwarderTest, TheSecondHearsTheFirstBeforeItsOwnCommit) {
  start_among(true);
  Peer agent = of_near();
  const SegmentRecord record = agent.samples(3);
  hear_live(agent, {record});
  const std::vector<Write> writes = take<Write>();
  hear_forwarded(near_, {record});
  for (const Write& write : writes) finish(write);
  pass(10s);
  EXPECT_EQ(count_forwarded(), 0u);
  hear_stored(agent, {agent.samples()});
  EXPECT_EQ(count_forwarded(), 0u) << "the first one is not held for silent";
  pass(2s);
  EXPECT_EQ(count_forwarded(), 1u);
}

TEST_F(ForwarderTest, TheSecondTakesOverWhenTheFirstIsSilent) {
  start_among(true);
  Peer agent = of_near();
  hear_stored(agent, {agent.samples()});
  pass(900ms);
  EXPECT_EQ(count_forwarded(), 0u);
  pass(100ms);
  EXPECT_EQ(count_forwarded(), 1u);
  // It is not waited for any more, until it is heard.
  const SegmentRecord next = agent.samples();
  hear_stored(agent, {next});
  EXPECT_EQ(count_forwarded(), 1u);
  hear_forwarded(near_, {next});
  hear_stored(agent, {agent.samples()});
  EXPECT_EQ(count_forwarded(), 0u);
}

// What lies in its queue then was forwarded by others, who say so further back in it.
TEST_F(ForwarderTest, OneThatWasHeldUpWaitsLikeTheSecond) {
  start_among(true);
  Peer agent = of_rank(0, {near_.node()});
  meet_agent(agent);
  hear_stored(agent, {agent.samples()});
  pass(5s);
  EXPECT_GT(count_forwarded(), 0u);
  now_.mono += 10s;  // and nothing is done
  const SegmentRecord missed = agent.samples();
  hear_stored(agent, {missed});
  EXPECT_EQ(count_forwarded(), 0u);
  hear_forwarded(near_, {missed});
  pass(2s);
  EXPECT_EQ(count_forwarded(), 0u);
  const SegmentRecord lost = agent.samples();
  hear_stored(agent, {lost});
  pass(2s);
  EXPECT_EQ(count_forwarded(), 1u) << "nobody else did it";
  pass(10s);
  hear_stored(agent, {agent.samples()});
  EXPECT_EQ(count_forwarded(), 1u) << "it is as before";
}

// Where nobody else is to do it there is nothing to wait for.
TEST_F(ForwarderTest, ALoneOneThatWasHeldUpForwardsAtOnce) {
  start_among(false);
  Peer agent;
  meet_agent(agent);
  hear_stored(agent, {agent.samples()});
  pass(5s);
  outputs_.clear();
  now_.mono += 10s;
  hear_stored(agent, {agent.samples()});
  EXPECT_EQ(count_forwarded(), 1u);
}

// It rests as well when it has nothing to do.
TEST_F(ForwarderTest, OneThatHadNothingToDoWasNotHeldUp) {
  start_among(true);
  Peer agent = of_rank(0, {near_.node()});
  meet_agent(agent);
  pass(40s);
  outputs_.clear();
  now_.mono += 10s;
  hear_stored(agent, {agent.samples()});
  EXPECT_EQ(count_forwarded(), 1u);
}

TEST_F(ForwarderTest, TheThirdWaitsLonger) {
  start_among(true);
  Peer third{Role::gateway};
  meet(third, {kNorth, kCore});
  Peer agent = of_rank(2, {near_.node(), third.node()});
  meet_agent(agent);
  outputs_.clear();
  pass(1900ms);
  EXPECT_EQ(count_forwarded(), 0u);
  pass(100ms);
  EXPECT_EQ(count_forwarded(), 1u);
}

TEST_F(ForwarderTest, TheWillOfTheFirstIsEnough) {
  start_among(true);
  Peer agent = of_near();
  hear_stored(agent, {agent.samples()});
  Peer bystander = of_rank(0, {near_.node()});
  meet_agent(bystander);
  outputs_.clear();
  hear(TopicClass::hello, bystander.node(), bystander.hello(NodeState::down));
  pass(100ms);
  EXPECT_EQ(count_forwarded(), 0u);
  hear(TopicClass::gate, near_.node(), near_.hello(NodeState::down), kCore);
  EXPECT_EQ(count_forwarded(), 1u);
  hear_stored(agent, {agent.samples()});
  EXPECT_EQ(count_forwarded(), 1u);
}

TEST_F(ForwarderTest, WhatWaitsIsBounded) {
  start_among(true);
  Peer agent = of_near();
  constexpr std::size_t kBound = 4 * 1024 * 1024, kSegment = 30'000;
  std::size_t heard = 0;
  while (heard < 3 * kBound / 2) {
    const SegmentRecord record = agent.samples(1, kSegment);
    hear_live(agent, {record});
    for (const Write& write : take<Write>()) finish(write);
    heard += record.bytes->size();
    outputs_.clear();
  }
  pass(1s);
  std::size_t bytes = 0;
  for (const Segments& message : forwarded()) {
    for (const auto& each : message.segments) bytes += each->size();
  }
  EXPECT_LE(bytes, kBound);
  EXPECT_GT(bytes, kBound - 2 * kSegment);
  hear_forwarded(near_, {});  // it is there again
  hear_stored(agent, {agent.samples()});
  EXPECT_EQ(count_forwarded(), 0u);
  pass(1s);
  EXPECT_EQ(count_forwarded(), 1u) << "there is room again";
}

// What was fetched is a backlog in the backbone, too.
TEST_F(ForwarderTest, KeepsTheLane) {
  start_among(false);
  Peer agent;
  meet_agent(agent);
  const SegmentRecord old = agent.samples(2), fresh = agent.samples(2);
  hear_stored(agent, {fresh});
  pass(1s);
  const std::vector<Fetch> fetches = sent<Fetch>();
  ASSERT_EQ(fetches.size(), 1u);
  outputs_.clear();
  hear_answer(agent, {old}, fetches[0].request, true);
  serve();
  const std::vector<Segments> messages = forwarded(TopicClass::bulk);
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].lane, Lane::bulk);
  EXPECT_EQ(*messages[0].segments[0], *old.bytes);
}

// Others find what was not forwarded by its digest.
TEST_F(ForwarderTest, WhatWaitedWhenTheLinkWentIsNotForwarded) {
  start_among(true);
  Peer agent = of_near();
  Peer ours = of_rank(0, {near_.node()});
  meet_agent(ours);
  hear_stored(agent, {agent.samples()});
  hear_live(ours, {ours.samples()});
  const std::vector<Write> under_way = take<Write>();
  outputs_.clear();
  ASSERT_TRUE(step(LinkDown{}).ok());
  for (const Write& write : under_way) finish(write);
  EXPECT_EQ(count_forwarded(), 0u);
  ASSERT_TRUE(step(LinkUp{}).ok());
  meet(near_, {kNorth, kCore});
  meet(beyond_, {kCore});
  pass(10s);
  EXPECT_EQ(count_forwarded(), 0u);
}

}  // namespace
}  // namespace dunlin::replication
