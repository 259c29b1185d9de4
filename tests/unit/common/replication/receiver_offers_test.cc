// What a gateway fetches from other gateways, of nodes that it may never have met.
#include "common/log/limits.h"
#include "common/replication/receiver.h"
#include "tests/unit/common/replication/gateway_fixture.h"

namespace dunlin::replication {
namespace {

using namespace test;

class ReceiverOffersTest : public GatewayTest {
 protected:
  void start_between() {
    start_linked();
    meet(first_, {kCore});
    meet(second_, {kCore});
    pass(10s);  // their greetings
    serve();
    outputs_.clear();
  }
  static Digest::Log log_of(const SegmentRecord& last, IntervalSet missing = {}, Seq floor = 1) {
    const SegmentInfo& info = last.info;
    return {{info.log, info.last, info.after, std::move(missing)}, floor};
  }
  // `gateway` says what it has of these logs.
  void offer(Peer& gateway, std::vector<Digest::Log> logs) {
    Digest digest{{Digest16{1}, Digest16{2}}, {}, {{TriePath{}, true, std::move(logs)}}};
    hear(TopicClass::inbox, gateway.node(), gateway.wrap(std::move(digest)), kCore);
  }
  struct Asked {
    NodeId peer;
    Fetch fetch;
  };
  std::vector<Asked> asked() {
    std::vector<Asked> found;
    for (Sent& sent : sent_in<Fetch>(kCore)) {
      EXPECT_EQ(sent.send.topic, TopicClass::inbox);
      auto& fetch = std::get<Fetch>(sent.envelope.message);
      if (!fetch.wants.empty()) found.push_back({sent.send.target, std::move(fetch)});
    }
    return found;
  }
  static IntervalSet wanted(const Fetch& fetch, const LogId& log) {
    for (const Fetch::Want& want : fetch.wants) {
      if (want.log == log) return want.wanted;
    }
    return {};
  }
  void answer(Peer& gateway, const std::vector<SegmentRecord>& segments, std::uint64_t request,
              bool done = true) {
    hear_answer(gateway, segments, request, done, kCore);
    serve();
  }
  // The same, or pushed, with certificates.
  void show(Peer& gateway, const std::vector<SegmentRecord>& segments,
            std::vector<Bytes> certificates, std::uint64_t request = 0) {
    Segments message{request == 0 ? Lane::live : Lane::bulk, request, request != 0, {}, {}};
    for (const SegmentRecord& record : segments) message.segments.push_back(record.bytes);
    message.certificates = std::move(certificates);
    hear(request == 0 ? TopicClass::live : TopicClass::inbox, gateway.node(),
         gateway.wrap(std::move(message)), kCore);
    serve();
  }

  Peer first_{Role::gateway};
  Peer second_{Role::gateway};
};

TEST_F(ReceiverOffersTest, AreFetchedFromWhoHasThem) {
  start_between();
  Peer far;
  const SegmentRecord open = far.open(), old = far.samples(2), fresh = far.samples(3);
  offer(second_, {log_of(open), log_of(fresh)});
  EXPECT_TRUE(asked().empty()) << "what is new is on its way by itself";
  pass(500ms);
  std::vector<Asked> fetches = asked();
  ASSERT_EQ(fetches.size(), 1u);
  EXPECT_EQ(fetches[0].peer, second_.node());
  EXPECT_EQ(wanted(fetches[0].fetch, far.log()), set_of(1, 5));
  EXPECT_EQ(wanted(fetches[0].fetch, far.log(kControlTrack)), set_of(1, 1));
  answer(second_, {open, fresh, old}, fetches[0].fetch.request);
  EXPECT_EQ(stored(far.log()).held(), set_of(1, 5));
  pass(10min);
  EXPECT_TRUE(asked().empty());
}

TEST_F(ReceiverOffersTest, SayWhatTheyDoNotHave) {
  start_between();
  Peer far;
  const SegmentRecord open = far.open(), all = far.samples(20);
  offer(first_, {log_of(open), log_of(all, set_of(9, 12), 5)});
  pass(500ms);
  const std::vector<Asked> fetches = asked();
  ASSERT_EQ(fetches.size(), 1u);
  IntervalSet expected = set_of(5, 8);
  expected.insert({13, 20});
  EXPECT_EQ(wanted(fetches[0].fetch, far.log()), expected);
}

// Of a fleet that is older than this gateway, where nobody has the first entries any more.
TEST_F(ReceiverOffersTest, WhatGatewaysLetGoIsNoGap) {
  start_between();
  Peer far;
  const SegmentRecord open = far.open(), old = far.samples(4), fresh = far.samples(16);
  const auto fetch = [&](Peer& from, const std::vector<SegmentRecord>& brings) {
    pass(500ms);
    const std::vector<Asked> fetches = asked();
    ASSERT_EQ(fetches.size(), 1u);
    answer(from, brings, fetches[0].fetch.request);
  };
  offer(first_, {log_of(open), log_of(fresh, {}, 5)});
  fetch(first_, {open, fresh});
  EXPECT_EQ(status(far.log()).missing_entries, 4u) << "others may have them";
  offer(first_, {log_of(open), log_of(fresh, {}, 5)});
  LogStatus now = status(far.log());
  EXPECT_EQ(now.missing_entries, 0u);
  EXPECT_EQ(now.released_entries, 4u);
  EXPECT_EQ(now.complete, 20u);
  EXPECT_FALSE(now.behind_since.has_value());
  EXPECT_EQ(stored(far.log()).missing(), set_of(1, 4)) << "it is wanted all the same";

  offer(second_, {log_of(fresh)});
  fetch(second_, {old});
  now = status(far.log());
  EXPECT_EQ(now.missing_entries, 0u);
  EXPECT_EQ(now.released_entries, 0u);
  // Keepers let go of what gateways have, which says nothing.
  Peer keeper, other;
  keeper.capabilities = {std::string(kKeepsFleet)};
  hear(TopicClass::gate, keeper.node(), keeper.hello(), kCore);
  const SegmentRecord first = other.open(), lost = other.samples(4), kept = other.samples(16);
  offer(first_, {log_of(first), log_of(kept, set_of(1, 4))});
  fetch(first_, {first, kept});
  offer(keeper, {log_of(kept, {}, 5)});
  EXPECT_EQ(status(other.log()).missing_entries, 4u);
}

TEST_F(ReceiverOffersTest, OfWhatCameMeanwhileNothingIsAsked) {
  start_between();
  Peer agent;
  meet_agent(agent);
  const SegmentRecord record = agent.samples(3);
  offer(first_, {log_of(record)});
  pass(100ms);
  hear_live(agent, {record});
  serve();
  pass(10min);
  EXPECT_TRUE(asked().empty());
  offer(first_, {log_of(record)});
  pass(10min);
  EXPECT_TRUE(asked().empty()) << "it is here";
}

TEST_F(ReceiverOffersTest, OfOwnLogsNothingIsAsked) {
  start_between();
  offer(first_, {{{own(kControlTrack), 99, {}, {}}, 1}});
  pass(10min);
  EXPECT_TRUE(asked().empty());
}

TEST_F(ReceiverOffersTest, TheSameIsNotAskedOfTwoPeersAtOnce) {
  start_between();
  Peer far;
  const SegmentRecord open = far.open(), all = far.samples(5);
  offer(first_, {log_of(open), log_of(all)});
  offer(second_, {log_of(open), log_of(all)});
  pass(600ms);
  std::vector<Asked> fetches = asked();
  ASSERT_EQ(fetches.size(), 1u);
  const NodeId silent = fetches[0].peer;
  Peer& other = silent == first_.node() ? second_ : first_;
  pass(2s);
  EXPECT_TRUE(asked().empty());
  // Who says nothing has had its turn.
  pass(5s);
  fetches = asked();
  ASSERT_EQ(fetches.size(), 1u);
  EXPECT_EQ(fetches[0].peer, other.node());
  EXPECT_EQ(wanted(fetches[0].fetch, far.log()), set_of(1, 5));
  answer(other, {open, all}, fetches[0].fetch.request);
  EXPECT_EQ(stored(far.log()).held(), set_of(1, 5));
}

TEST_F(ReceiverOffersTest, ThatBringNothingAreDropped) {
  start_between();
  Peer far;
  const SegmentRecord open = far.open(), all = far.samples(5);
  offer(first_, {log_of(open), log_of(all)});
  pass(500ms);
  std::vector<Asked> fetches = asked();
  ASSERT_EQ(fetches.size(), 1u);
  answer(first_, {}, fetches[0].fetch.request);
  pass(1h);
  EXPECT_TRUE(asked().empty());
  offer(first_, {log_of(open), log_of(all)});
  pass(500ms);
  EXPECT_EQ(asked().size(), 1u) << "it says so once more";
}

// All that it has not of what it said is given up, not the rest.
TEST_F(ReceiverOffersTest, ThatBringSomethingAreAskedForTheRest) {
  start_between();
  Peer far;
  const SegmentRecord open = far.open(), old = far.samples(2), fresh = far.samples(3);
  offer(first_, {log_of(open), log_of(fresh)});
  pass(500ms);
  std::vector<Asked> fetches = asked();
  ASSERT_EQ(fetches.size(), 1u);
  answer(first_, {open, fresh}, fetches[0].fetch.request);
  pass(100ms);
  fetches = asked();
  ASSERT_EQ(fetches.size(), 1u);
  EXPECT_EQ(wanted(fetches[0].fetch, far.log()), set_of(1, 2));
  answer(first_, {}, fetches[0].fetch.request);
  pass(1h);
  EXPECT_TRUE(asked().empty());
}

TEST_F(ReceiverOffersTest, AreThoseOfGatewaysAlone) {
  close_fleet();  // by its certificate it keeps no logs but its own
  start_between();
  Peer agent, far;
  meet_agent(agent);
  offer(agent, {log_of(far.open())});
  hear(TopicClass::gossip, agent.node(),
       agent.wrap(Digest{{}, {}, {{TriePath{}, true, {log_of(far.open())}}}}), kCore);
  pass(1min);
  EXPECT_TRUE(asked().empty());
}

TEST_F(ReceiverOffersTest, OfAPeerThatWentAreGone) {
  start_between();
  Peer far;
  offer(first_, {log_of(far.open())});
  hear(TopicClass::gate, first_.node(), first_.hello(NodeState::down), kCore);
  pass(1min);
  EXPECT_TRUE(asked().empty());
  meet(first_, {kCore});
  pass(1min);
  EXPECT_TRUE(asked().empty());
}

TEST_F(ReceiverOffersTest, AreBounded) {
  start_between();
  std::vector<Digest::Log> logs;
  for (std::uint64_t n = 0; n < 5000; ++n) {
    logs.push_back({{{first_.node(), Epoch{n}, kSamplesTrack}, 1, {}, {}}, 1});
    if (logs.size() == kVectorLogsMax) offer(first_, std::exchange(logs, {}));
  }
  std::set<LogId> wanted;
  for (int hour = 0; hour < 24; ++hour) {
    for (int i = 0; i < 60; ++i) {
      pass(1min);
      for (const Asked& each : asked()) {
        for (const Fetch::Want& want : each.fetch.wants) wanted.insert(want.log);
        answer(first_, {}, each.fetch.request);
      }
    }
  }
  EXPECT_EQ(wanted.size(), 4096u);
}

// Two gateways have different entries under one number: either has to see the other branch, or they
// would differ for good.
TEST_F(ReceiverOffersTest, ABranchOfTheSameLengthIsFetched) {
  start_between();
  Peer agent;
  Peer twin = agent.twin();
  (void)twin.open();
  meet_agent(agent);
  hear_live(agent, {agent.samples(3)});
  serve();
  const SegmentRecord branch = twin.samples(3, 50);
  offer(first_, {log_of(branch)});
  pass(500ms);
  const std::vector<Asked> fetches = asked();
  ASSERT_EQ(fetches.size(), 1u);
  EXPECT_TRUE(wanted(fetches[0].fetch, agent.log()).contains(3));
  answer(first_, {branch}, fetches[0].fetch.request);
  EXPECT_TRUE(status(agent.log()).forked);
  pass(1h);
  EXPECT_TRUE(asked().empty());
}

// What another gateway was asked for and does not bring is asked of the origin.
TEST_F(ReceiverOffersTest, WhatNobodyBringsIsAskedOfTheOrigin) {
  start_between();
  Peer agent;
  meet_agent(agent);
  const SegmentRecord first = agent.samples(2), second = agent.samples(2), third = agent.samples(2);
  offer(first_, {log_of(second)});
  pass(500ms);
  ASSERT_EQ(asked().size(), 1u);
  hear_live(agent, {first});
  hear_live(agent, {third});
  serve();
  pass(1s);
  EXPECT_TRUE(sent_in<Fetch>(kNorth).empty());
  pass(5s);  // it is silent
  const std::vector<Sent> fetches = sent_in<Fetch>(kNorth);
  ASSERT_EQ(fetches.size(), 1u);
  EXPECT_EQ(fetches[0].send.target, agent.node());
  EXPECT_EQ(wanted(std::get<Fetch>(fetches[0].envelope.message), agent.log()), set_of(3, 4));
}

// A peer that keeps a Fetch open and brings nothing keeps nobody from asking others.
TEST_F(ReceiverOffersTest, WhoOnlySaysThatItIsThereIsNotWaitedFor) {
  start_between();
  Peer agent;
  meet_agent(agent);
  std::vector<SegmentRecord> all{agent.samples(2), agent.samples(2), agent.samples(2)};
  offer(first_, {{{agent.log(), 1000, {}, {}}, 1}});
  pass(500ms);
  const std::vector<Asked> fetches = asked();
  ASSERT_EQ(fetches.size(), 1u);
  hear_live(agent, {all[0]});
  hear_live(agent, {all[2]});
  serve();
  bool turned = false;
  for (int i = 0; i < 60 && !turned; ++i) {
    pass(2s);
    for (const Sent& sent : sent_in<Fetch>(kNorth)) turned |= sent.send.target == agent.node();
    hear_answer(first_, {}, fetches[0].fetch.request, false, kCore);
  }
  EXPECT_TRUE(turned);
}

// ---- nodes that were never met ----

TEST_F(ReceiverOffersTest, AStrangersSegmentsWaitForItsCertificate) {
  close_fleet();
  start_between();
  Peer far;
  admit(far, false);
  const SegmentRecord open = far.open(), samples = far.samples(3);
  show(first_, {samples}, {});
  EXPECT_EQ(stored(far.log()).head(), 0u);
  pass(100ms);
  const std::vector<Asked> fetches = asked();
  ASSERT_EQ(fetches.size(), 1u) << "for what it waits for";
  EXPECT_EQ(fetches[0].peer, first_.node());
  EXPECT_EQ(wanted(fetches[0].fetch, far.log(kControlTrack)), set_of(1, 1));
  show(first_, {open}, {far.certificate}, fetches[0].fetch.request);
  EXPECT_EQ(stored(far.log()).held(), set_of(1, 3));
  EXPECT_EQ(refusals(), 0u);
  // That was kept.
  start_linked();
  meet(first_, {kCore});
  show(first_, {far.samples()}, {});
  EXPECT_EQ(stored(far.log()).head(), 4u);
}

TEST_F(ReceiverOffersTest, AStrangersSegmentsFromAnAgentAreRefused) {
  close_fleet();
  start_between();
  Peer agent, far;
  meet_agent(agent);
  hear_live(agent, {far.open(), far.samples()});
  serve();
  EXPECT_EQ(refused("untrusted"), 2u);
  pass(1min);
  EXPECT_TRUE(asked().empty());
}

TEST_F(ReceiverOffersTest, CertificatesOfOthersAreWorthNothing) {
  close_fleet();
  start_between();
  const std::unique_ptr<Signer> foreign = simulation::fixed_key(77);
  Peer far, other;
  Bytes altered = certificate(far.key(), false);
  altered.back() ^= 1;
  for (const Bytes& shown :
       {certificate(*foreign, far, false), certificate(other.key(), false), altered, Bytes{1, 2}}) {
    Peer twin = far.twin();
    show(first_, {twin.open(), twin.samples()}, {shown});
    EXPECT_EQ(stored(far.log(kControlTrack)).head(), 0u);
  }
  show(first_, {far.open(), far.samples()}, {certificate(far.key(), false)});
  EXPECT_EQ(stored(far.log()).head(), 1u);
}

TEST_F(ReceiverOffersTest, TheCertificateOfWhoWasRevokedIsRefused) {
  close_fleet();
  start_between();
  Peer far;
  Peer authority{Role::agent, simulation::authority_key(false)};
  hear(TopicClass::authority, authority.node(),
       authority.segments({authority.open("fleet"), authority.control({Revoke{far.node(), {}}})}));
  serve();
  show(first_, {far.open(), far.samples()}, {certificate(far.key(), false)});
  EXPECT_EQ(refused("revoked"), 2u);
  EXPECT_EQ(refusals(), 2u);
  EXPECT_EQ(stored(far.log(kControlTrack)).head(), 0u);
}

TEST_F(ReceiverOffersTest, BeyondTheEndOfWhoWasRevokedNothingIsFetched) {
  close_fleet();
  start_between();
  Peer far;
  admit(far, false);
  const SegmentRecord open = far.open(), first = far.samples(2), counts = far.samples(2),
                      beyond = far.samples(2);
  show(first_, {open, first}, {far.certificate});
  Peer authority{Role::agent, simulation::authority_key(false)};
  const auto end_of = [](const SegmentRecord& record) {
    return Revoke::End{record.info.log.epoch, record.info.log.track, record.info.last,
                       record.info.after};
  };
  hear(TopicClass::authority, authority.node(),
       authority.segments(
           {authority.open("fleet"),
            authority.control({Revoke{far.node(), {end_of(open), end_of(counts)}}})}));
  serve();
  offer(first_, {log_of(open), log_of(beyond)});
  pass(500ms);
  const std::vector<Asked> fetches = asked();
  ASSERT_EQ(fetches.size(), 1u);
  EXPECT_EQ(wanted(fetches[0].fetch, far.log()), set_of(3, 4));
  answer(first_, {counts}, fetches[0].fetch.request);
  EXPECT_EQ(stored(far.log()).head(), 4u);
  offer(first_, {log_of(open), log_of(beyond)});
  pass(1h);
  EXPECT_TRUE(asked().empty());
  EXPECT_EQ(refusals(), 0u);
}

// The disk failed when the node was first heard of, so its certificate is not on it either.
TEST_F(ReceiverOffersTest, ACertificateIsKeptWhateverTheFirstWriteDid) {
  close_fleet();
  start_between();
  Peer far;
  admit(far, false);
  const SegmentRecord open = far.open();
  const auto shown = [&] {
    Segments message{Lane::live, 0, false, {open.bytes}, {far.certificate}};
    hear(TopicClass::live, first_.node(), first_.wrap(std::move(message)), kCore);
  };
  shown();
  for (const Write& write : take<Write>()) fail(write);
  shown();
  serve();
  ASSERT_EQ(stored(far.log(kControlTrack)).head(), 1u);
  start_linked();
  meet(first_, {kCore});
  show(first_, {far.samples()}, {});
  EXPECT_EQ(stored(far.log()).head(), 1u);
}

// What is here of a node came while everybody was a member: its certificate is asked for with the
// beginning of its log.
TEST_F(ReceiverOffersTest, ANodeOfAFleetThatWasOpenIsMetAnew) {
  start_between();
  Peer far;
  show(first_, {far.open(), far.samples()}, {});
  ASSERT_EQ(stored(far.log()).head(), 1u);
  close_fleet();
  start_linked();
  meet(first_, {kCore});
  pass(10s);
  outputs_.clear();
  const SegmentRecord more = far.samples();
  show(first_, {more}, {});
  pass(1s);
  const std::vector<Asked> fetches = asked();
  ASSERT_EQ(fetches.size(), 1u);
  EXPECT_TRUE(wanted(fetches[0].fetch, far.log(kControlTrack)).contains(1));
  Peer twin = far.twin();
  show(first_, {twin.open()}, {certificate(far.key(), false)}, fetches[0].fetch.request);
  EXPECT_EQ(stored(far.log()).head(), 2u);
  start_linked();
  meet(first_, {kCore});
  show(first_, {far.samples()}, {});
  EXPECT_EQ(stored(far.log()).head(), 3u);
}

}  // namespace
}  // namespace dunlin::replication
