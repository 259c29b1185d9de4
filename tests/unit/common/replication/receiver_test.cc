#include "common/replication/receiver.h"

#include "tests/unit/common/replication/replica_fixture.h"
#include "tests/vectors/golden.h"
#include "tests/vectors/samples.h"

namespace dunlin::replication {
namespace {

using namespace test;

// A gateway on the bus, and a peer with a log.
class ReceiverTest : public ReplicaTest {
 protected:
  void start_linked(ReceiverOptions receiver = {}) {
    ReplicaOptions options = gateway_options();
    options.receiver = receiver;
    start(std::move(options));
    serve();
    ASSERT_TRUE(step(LinkUp{}).ok());
    outputs_.clear();
  }
  // The peer is known, with entry 1 of its track 0 on the disk.
  void meet() {
    greet(peer_, Role::agent);
    hear_live(peer_, {peer_.open()});
    serve();
    outputs_.clear();
  }
  Vector::Item told(const LogId& log) {
    for (const Vector& vector : sent<Vector>()) {
      for (const Vector::Item& item : vector.logs) {
        if (item.log == log) return item;
      }
    }
    return {};
  }
  // The same node begins its log anew: whichever branch is heard first, the same one stays.
  void hear_two_branches(bool winner_first) {
    start_linked();
    meet();
    Peer twin = peer_.twin();
    (void)twin.open();
    std::vector<SegmentRecord> both{peer_.samples(3), twin.samples(3, 50)};
    const auto first_hash = [](const SegmentRecord& record) {
      return entry_hashes(*parse_segment(*record.bytes))->at(record.info.first);
    };
    if (first_hash(both[1]) < first_hash(both[0])) std::swap(both[0], both[1]);
    const SegmentRecord winner = both[0];
    if (!winner_first) std::swap(both[0], both[1]);
    for (const SegmentRecord& record : {both[0], both[1], both[1]}) {
      hear_live(peer_, {record});
      serve();
    }
    EXPECT_EQ(replica_->stats().forks, 1u);
    EXPECT_TRUE(status(peer_.log()).forked);
    EXPECT_EQ(status(peer_.log()).head, 3u);
    EXPECT_EQ(status(peer_.log()).missing_entries, 0u);
    EXPECT_EQ(stored(peer_.log()).head_hash(), winner.info.after);
    start(gateway_options());
    EXPECT_TRUE(status(peer_.log()).forked);
  }
  std::vector<SegmentRecord> packed(std::size_t n) {
    std::vector<SegmentRecord> segments;
    while (segments.size() < n) segments.push_back(peer_.packed());
    return segments;
  }
  static IntervalSet wanted(const Fetch& fetch, const LogId& log) {
    for (const Fetch::Want& want : fetch.wants) {
      if (want.log == log) return want.wanted;
    }
    return {};
  }

  Peer peer_;
};

TEST_F(ReceiverTest, NothingIsAcknowledgedBeforeItIsDurable) {
  start_linked();
  greet(peer_, Role::agent);
  outputs_.clear();
  hear_live(peer_, {peer_.open()});
  const auto writes = take<Write>();
  ASSERT_EQ(writes.size(), 1u);
  EXPECT_TRUE(sent<Vector>().empty());
  EXPECT_TRUE(take<Replicated>().empty());
  finish(writes[0]);
  const auto sends = take<Send>();
  ASSERT_EQ(sends.size(), 1u);
  EXPECT_EQ(sends[0].topic, TopicClass::inbox);
  EXPECT_EQ(sends[0].target, peer_.node());
  const auto vector = std::get<Vector>(decode_envelope(sends[0].payload)->message);
  ASSERT_EQ(vector.logs.size(), 1u);
  EXPECT_EQ(vector.logs[0].log, peer_.log(kControlTrack));
  EXPECT_EQ(vector.logs[0].head, 1u);
  EXPECT_EQ(take<Replicated>().size(), 1u);
}

TEST_F(ReceiverTest, ASignedAckFollowsTheCommit) {
  start_linked();
  meet();
  pass(1s);
  outputs_.clear();
  Seq head = 0;
  for (const Nonce instance : {peer_.nonce, Nonce{peer_.nonce.value + 1}}) {
    peer_.nonce = instance;
    greet(peer_, Role::agent, {{peer_.log().epoch, kSamplesTrack, head}});
    const SegmentRecord segment = peer_.samples(3);
    hear_live(peer_, {segment});
    head += 3;
    const auto writes = take<Write>();
    ASSERT_EQ(writes.size(), 1u);
    pass(2s);
    EXPECT_TRUE(sent<Ack>().empty());  // nothing is durable yet
    finish(writes[0]);
    (void)sent<Vector>();
    pass(1s);
    const auto sends = take<Send>();
    ASSERT_EQ(sends.size(), 1u);
    EXPECT_EQ(sends[0].topic, TopicClass::inbox);
    EXPECT_EQ(sends[0].target, peer_.node());
    const Envelope envelope = decode_envelope(sends[0].payload).value();
    const auto ack = std::get<Ack>(envelope.message);
    EXPECT_EQ(ack.origin, peer_.node());
    EXPECT_EQ(ack.nonce, instance);
    ASSERT_EQ(ack.logs.size(), 2u);
    EXPECT_EQ(ack.logs[0].log, peer_.log(kControlTrack));
    EXPECT_EQ(ack.logs[1], (Vector::Item{peer_.log(), head, segment.info.after, {}}));
    const Bytes statement = ack_statement(replica_->self(), ack, envelope);
    EXPECT_TRUE(verifier_->verify(key_->public_key(), statement, ack.signature).ok());
  }
  pass(1min);
  EXPECT_TRUE(sent<Ack>().empty());  // once is enough
}

TEST_F(ReceiverTest, AVectorInItsInboxAsksForAnAck) {
  start_linked();
  meet();
  hear_live(peer_, {peer_.samples(3)});
  serve();
  pass(1s);
  outputs_.clear();
  const Vector vector{{{peer_.log(), 3, {}, {}}}};
  hear(TopicClass::gossip, peer_.node(), peer_.wrap(vector));
  pass(2s);
  EXPECT_TRUE(sent<Ack>().empty());  // a Vector is the answer to that
  hear(TopicClass::inbox, peer_.node(), peer_.wrap(vector));
  pass(1s);
  const auto acks = sent<Ack>();
  ASSERT_EQ(acks.size(), 1u);
  EXPECT_EQ(acks[0].nonce, peer_.nonce);
  ASSERT_EQ(acks[0].logs.size(), 2u);
  EXPECT_EQ(acks[0].logs[1].head, 3u);
}

TEST_F(ReceiverTest, AFailedWriteIsNotAcknowledgedAndFetchedAgain) {
  start_linked();
  meet();
  const SegmentRecord segment = peer_.samples(5);
  hear_live(peer_, {segment, peer_.samples()});
  auto writes = take<Write>();
  ASSERT_EQ(writes.size(), 1u);
  fail(writes[0], Errc::storage_full);
  EXPECT_TRUE(sent<Vector>().empty());
  EXPECT_EQ(stored(peer_.log()).head(), 0u);
  // The origin says how far its log goes, since nobody acknowledges it.
  hear(TopicClass::gossip, peer_.node(), peer_.wrap(Vector{{{peer_.log(), 6, {}, {}}}}));
  pass(2s);
  const auto fetches = sent<Fetch>();
  ASSERT_EQ(fetches.size(), 1u);
  EXPECT_EQ(wanted(fetches[0], peer_.log()), set_of(1, 6));
  hear_answer(peer_, {segment}, fetches[0].request);
  serve();
  EXPECT_EQ(stored(peer_.log()).held(), set_of(1, 5));
}

TEST_F(ReceiverTest, AGapIsFetchedAfterItsGrace) {
  start_linked();
  meet();
  const SegmentRecord first = peer_.samples(2);
  const SegmentRecord second = peer_.samples(3);
  const SegmentRecord third = peer_.samples(4);
  hear_live(peer_, {first});
  hear_live(peer_, {third});
  for (const Write& write : take<Write>()) finish(write);
  EXPECT_EQ(told(peer_.log()).missing, IntervalSet{});  // of the first
  EXPECT_EQ(status(peer_.log()).missing, set_of(3, 5));
  EXPECT_TRUE(sent<Fetch>().empty());
  pass(50ms);
  const auto fetches = sent<Fetch>();
  ASSERT_EQ(fetches.size(), 1u);
  EXPECT_EQ(wanted(fetches[0], peer_.log()), set_of(3, 5));
  EXPECT_GT(fetches[0].credit, 0u);
  pass(100ms);
  EXPECT_TRUE(sent<Fetch>().empty());  // one at a time
  hear_answer(peer_, {second}, fetches[0].request, true);
  serve();
  EXPECT_EQ(status(peer_.log()).missing_entries, 0u);
  EXPECT_EQ(status(peer_.log()).complete, 9u);
  EXPECT_EQ(replica_->stats().signatures_verified, 3u);  // the third vouches for the second
  pass(10s);
  EXPECT_TRUE(sent<Fetch>().empty());
}

TEST_F(ReceiverTest, ReorderedSegmentsAreNotAskedFor) {
  start_linked();
  meet();
  const SegmentRecord first = peer_.samples(2);
  hear_live(peer_, {peer_.samples(2)});
  pass(20ms);
  hear_live(peer_, {first});
  serve();
  pass(10s);
  EXPECT_TRUE(sent<Fetch>().empty());
  EXPECT_EQ(status(peer_.log()).complete, 4u);
}

TEST_F(ReceiverTest, CreditIsToppedUpWhenThingsAreDurable) {
  start_linked({.chunk_bytes = 10'000});
  meet();
  greet(peer_, Role::agent, {{Epoch{5}, kSamplesTrack, 40}});
  pass(10ms);
  auto fetches = sent<Fetch>();
  ASSERT_EQ(fetches.size(), 1u);
  EXPECT_EQ(fetches[0].credit, 20'000u);
  const std::uint64_t request = fetches[0].request;
  for (int i = 0; i < 4; ++i) hear_answer(peer_, {peer_.samples(1, 4000)}, request);
  EXPECT_TRUE(sent<Fetch>().empty());
  serve();
  fetches = sent<Fetch>();
  ASSERT_EQ(fetches.size(), 1u);
  EXPECT_EQ(fetches[0].request, request);
  EXPECT_TRUE(fetches[0].wants.empty());
  EXPECT_GE(fetches[0].credit, 10'000u);
  EXPECT_LE(fetches[0].credit, 20'000u);
}

TEST_F(ReceiverTest, OneSignatureVouchesForABacklogNewestFirst) {
  start_linked();
  meet();
  const SegmentRecord first = peer_.samples(2);
  const SegmentRecord second = peer_.samples(3);
  const SegmentRecord third = peer_.samples(4);
  const SegmentRecord fourth = peer_.samples(1);
  greet(peer_, Role::agent, {{peer_.log().epoch, kSamplesTrack, 10}});
  pass(10ms);
  const auto fetches = sent<Fetch>();
  ASSERT_EQ(fetches.size(), 1u);
  const std::uint64_t before = replica_->stats().signatures_verified;
  hear_answer(peer_, {fourth, third}, fetches[0].request);
  hear_answer(peer_, {second}, fetches[0].request);  // while those are being written
  EXPECT_EQ(replica_->stats().signatures_verified, before + 1);
  serve();
  hear_answer(peer_, {first}, fetches[0].request, true);
  serve();
  EXPECT_EQ(replica_->stats().signatures_verified, before + 1);
  EXPECT_EQ(stored(peer_.log()).held(), set_of(1, 10));
}

// Nobody vouches for a segment that a successor on its way does not continue.
TEST_F(ReceiverTest, AnotherBranchIsNotVouchedFor) {
  start_linked();
  meet();
  (void)peer_.samples(3);
  const SegmentRecord second = peer_.samples(2);
  Peer twin = peer_.twin();
  (void)twin.open();
  SegmentRecord forged = twin.samples(3, 50);
  Bytes bytes = *forged.bytes;
  bytes.back() ^= 1;  // of its signature
  forged.bytes = std::make_shared<const Bytes>(std::move(bytes));
  hear_live(peer_, {second, forged});
  EXPECT_EQ(replica_->stats().refused.at("bad_signature"), 1u);
  serve();
  EXPECT_EQ(stored(peer_.log()).held(), set_of(4, 5));
}

TEST_F(ReceiverTest, DataWaitsForItsTrack0WhichIsFetched) {
  start_linked();
  greet(peer_, Role::agent);
  pass(1s);
  outputs_.clear();
  const SegmentRecord open = peer_.open();
  const SegmentRecord data = peer_.samples(3);
  hear_live(peer_, {data});
  EXPECT_TRUE(take<Write>().empty());
  pass(2s);
  const auto fetches = sent<Fetch>();
  ASSERT_EQ(fetches.size(), 1u);
  EXPECT_TRUE(wanted(fetches[0], peer_.log(kControlTrack)).contains(Seq{1}));
  hear_answer(peer_, {open}, fetches[0].request, true);
  const auto control = take<Write>();
  ASSERT_EQ(control.size(), 1u);
  EXPECT_EQ(control[0].segments[0].info.log, peer_.log(kControlTrack));
  finish(control[0]);
  serve();
  EXPECT_EQ(stored(peer_.log()).held(), set_of(1, 3));
}

TEST_F(ReceiverTest, WhatWaitsIsBoundedAndTheOldestGoes) {
  start_linked({.waiting_bytes_max = 10'000});
  greet(peer_, Role::agent);
  const SegmentRecord open = peer_.open();
  for (int i = 0; i < 10; ++i) hear_live(peer_, {peer_.samples(1, 3000)});
  hear_live(peer_, {open});
  serve();
  const LogState state = stored(peer_.log());
  EXPECT_EQ(state.held(), set_of(8, 10));
  // What had to go is a gap like any other.
  pass(2s);
  const auto fetches = sent<Fetch>();
  ASSERT_GE(fetches.size(), 1u);
  EXPECT_EQ(wanted(fetches.back(), peer_.log()), set_of(1, 7));
}

// Whoever sends garbage at full speed wears no flash by it: the rest is counted alone.
TEST_F(ReceiverTest, AFloodIsNotQuarantined) {
  start_linked({.quarantine_per_second = 2500, .quarantine_burst = 12'500});
  meet();
  SegmentRecord noise = peer_.samples();
  noise.bytes = std::make_shared<const Bytes>(Bytes(452, 0xff));
  for (int i = 0; i < 100; ++i) hear_live(peer_, {noise});
  EXPECT_EQ(take<Write>().size(), 5u);
  EXPECT_EQ(replica_->stats().refused.at("malformed"), 100u);
  EXPECT_EQ(replica_->stats().quarantined.at("malformed"), 5u);
  pass(2s);
  for (int i = 0; i < 100; ++i) hear_live(peer_, {noise});
  EXPECT_EQ(take<Write>().size(), 2u);
}

// Each peer has its own share, and what was released and is refused again needs none: nothing that
// a flood brings takes the place of what others are accused of.
TEST_F(ReceiverTest, AFloodTakesNobodyElsesPlaceInQuarantine) {
  start_linked({.quarantine_per_second = 2500, .quarantine_burst = 12'500});
  meet();
  Peer other;
  SegmentRecord noise = peer_.samples();
  noise.bytes = std::make_shared<const Bytes>(Bytes(452, 0xff));
  for (int i = 0; i < 100; ++i) hear_live(peer_, {noise});
  EXPECT_EQ(take<Write>().size(), 5u);
  hear_live(other, {noise});
  EXPECT_EQ(take<Write>().size(), 1u);
  ASSERT_TRUE(step(Reconsider{{{peer_.node(), Errc::malformed, "", 0, noise.bytes}}}).ok());
  EXPECT_EQ(take<Write>().size(), 1u);
}

// It may have been refused for what is otherwise by now, and if not, it is refused once more.
TEST_F(ReceiverTest, WhatIsReleasedIsLookedAtAgain) {
  start_linked();
  meet();
  const SegmentRecord good = peer_.samples(3), bad = peer_.samples(2);
  Bytes tampered = *bad.bytes;
  tampered.back() ^= 1;
  const auto broken = std::make_shared<const Bytes>(tampered);
  ASSERT_TRUE(step(Reconsider{{{peer_.node(), Errc::untrusted, "", 0, good.bytes},
                               {peer_.node(), Errc::untrusted, "", 0, broken}}})
                  .ok());
  const auto writes = take<Write>();
  for (const Write& write : writes) finish(write);
  EXPECT_EQ(stored(peer_.log()).held(), set_of(1, 3));
  EXPECT_EQ(replica_->stats().quarantined.at("bad_signature"), 1u);
}

TEST_F(ReceiverTest, MoreThanStorageTakesIsRefused) {
  start_linked({.writing_bytes_max = 10'000});
  meet();
  for (int i = 0; i < 10; ++i) hear_live(peer_, {peer_.samples(1, 3000)});
  const auto writes = take<Write>();
  EXPECT_LE(writes.size(), 5u);
  EXPECT_EQ(replica_->stats().refused.at("backpressure"), 10 - writes.size());
  for (const Write& write : writes) finish(write);
  hear_live(peer_, {peer_.samples()});
  EXPECT_EQ(take<Write>().size(), 1u);
}

// What counts is what it decodes to, not its bytes.
TEST_F(ReceiverTest, OneMessageIsNotDecodedForSeconds) {
  start_linked();
  meet();
  const std::vector<SegmentRecord> segments = packed(10);
  hear_live(peer_, segments);
  EXPECT_EQ(replica_->stats().refused.at("too_large"), 1u);
  EXPECT_LT(replica_->stats().decoded_bytes, 3u << 20);
  serve();
  EXPECT_EQ(stored(peer_.log()).head(), 60u);
  EXPECT_TRUE(replica_->stats().quarantined.empty());
  hear_live(peer_, {segments.begin() + 3, segments.begin() + 5});  // once more
  serve();
  EXPECT_EQ(stored(peer_.log()).head(), 100u);
}

// It waits for its track 0 in few bytes, and is decoded bit by bit all the same.
TEST_F(ReceiverTest, WhatWaitedIsNotDecodedAtOnce) {
  start_linked();
  greet(peer_, Role::agent);
  const SegmentRecord open = peer_.open();
  hear_live(peer_, packed(10));
  hear_live(peer_, {open});
  std::uint64_t most = 0;
  for (int step = 0; step < 20; ++step) {
    for (const Write& write : take<Write>()) {
      const std::uint64_t before = replica_->stats().decoded_bytes;
      finish(write);
      most = std::max(most, replica_->stats().decoded_bytes - before);
    }
  }
  EXPECT_LT(most, 2u << 20);
  EXPECT_EQ(stored(peer_.log()).held(), set_of(1, 200));
}

// Entries of track 0 are kept as they are until they are stored: much larger than their bytes.
TEST_F(ReceiverTest, WhatIsBeingWrittenIsBoundedInMemory) {
  start_linked();
  meet();
  std::vector<SegmentRecord> segments;
  for (std::uint64_t n = 0; n < 200; ++n) {
    std::vector<Op> ops;
    for (std::uint64_t i = 0; i < 30; ++i)
      ops.push_back(Define{1 + i, 1, {"s", std::vector<Field>(256, Field{"", {}, "", 0})}});
    segments.push_back(peer_.control(std::move(ops)));
  }
  for (const SegmentRecord& segment : segments) hear_live(peer_, {segment});
  std::size_t fields = 0;
  for (const Write& write : take<Write>()) {
    for (const SegmentRecord& record : write.segments)
      for (const Entry& entry : record.control)
        for (const Op& op : entry.ops) fields += std::get<Define>(op).schema.fields.size();
  }
  EXPECT_GT(fields, 0u);
  EXPECT_LT(fields * sizeof(Field), 16u << 20);
  EXPECT_GT(replica_->stats().refused.at("backpressure"), 100u);
}

TEST_F(ReceiverTest, AClaimThatNobodyBearsOutIsForgotten) {
  start_linked();
  meet();
  greet(peer_, Role::agent, {{Epoch{5}, kSamplesTrack, 10}});
  EXPECT_EQ(status(peer_.log()).missing_entries, 10u);
  std::size_t asked = 0;
  for (int minute = 0; minute < 40; ++minute) {
    pass(1min);
    for (const Fetch& fetch : sent<Fetch>()) {
      asked += 1;
      hear_answer(peer_, {}, fetch.request, true);
    }
  }
  EXPECT_GT(asked, 2u);
  EXPECT_LT(asked, 30u);  // ever later
  EXPECT_EQ(status(peer_.log()).missing_entries, 0u);
  EXPECT_EQ(status(peer_.log()).head, 0u);
  pass(60min);
  EXPECT_TRUE(sent<Fetch>().empty());
}

TEST_F(ReceiverTest, NothingIsAskedOfANodeThatIsAway) {
  start_linked();
  meet();
  greet(peer_, Role::agent, {{Epoch{5}, kSamplesTrack, 10}});
  hear(TopicClass::hello, peer_.node(), peer_.hello(NodeState::down));
  pass(10min);
  EXPECT_TRUE(sent<Fetch>().empty());
  EXPECT_EQ(status(peer_.log()).missing_entries, 10u);
  greet(peer_, Role::agent, {{Epoch{5}, kSamplesTrack, 10}});
  pass(1s);
  EXPECT_EQ(sent<Fetch>().size(), 1u);
}

TEST_F(ReceiverTest, DuplicatesChangeNothing) {
  start_linked();
  meet();
  const SegmentRecord segment = peer_.samples(3);
  hear_live(peer_, {segment});
  const auto writes = take<Write>();
  hear_live(peer_, {segment});  // under way
  EXPECT_TRUE(take<Write>().empty());
  for (const Write& write : writes) finish(write);
  hear_live(peer_, {segment});  // held
  EXPECT_TRUE(take<Write>().empty());
  EXPECT_EQ(replica_->stats().duplicates, 2u);
  EXPECT_EQ(replica_->stats().entries_received, 4u);
  EXPECT_EQ(stored(peer_.log()).held(), set_of(1, 3));
}

TEST_F(ReceiverTest, OperationsOfANewerMinorVersionAreKeptAndCounted) {
  start_linked();
  meet();
  const Op later = dunlin::test::later_anchor();
  const SegmentRecord segment = peer_.control({dunlin::test::sample_unknown(), later});
  const SegmentRecord next = peer_.control({Lost{Epoch{4}, kSamplesTrack, {}}, later});
  hear_live(peer_, {segment});
  hear_live(peer_, {segment, next});
  serve();
  EXPECT_EQ(refusals(), 0u);
  EXPECT_EQ(replica_->stats().unknown.operations, 3u);
  EXPECT_EQ(stored(peer_.log(kControlTrack)).held(), set_of(1, 3));
  const auto kept = store_->read(peer_.log(kControlTrack), {2, 2}, 1'000'000).value();
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_EQ(kept[0].bytes, *segment.bytes);
}

TEST_F(ReceiverTest, WhatDoesNotVerifyIsRefusedAndCounted) {
  start_linked();
  meet();
  const auto altered = [](SegmentRecord record, std::size_t from_end) {
    Bytes bytes = *record.bytes;
    bytes[bytes.size() - from_end] ^= 1;
    record.bytes = std::make_shared<const Bytes>(std::move(bytes));
    return record;
  };
  const SegmentRecord good = peer_.samples(3);
  Peer stranger;
  SegmentRecord noise = good;
  noise.bytes = std::make_shared<const Bytes>(Bytes(100, 0xff));
  hear_live(peer_, {altered(good, 1)});   // the signature
  hear_live(peer_, {altered(good, 80)});  // the readings
  hear_live(peer_, {noise});
  EXPECT_EQ(refusals(), 3u);
  std::vector<Quarantined> kept;
  for (const Write& write : take<Write>()) {
    EXPECT_TRUE(write.segments.empty());
    kept.insert(kept.end(), write.refused.begin(), write.refused.end());
    finish(write);
  }
  ASSERT_EQ(kept.size(), 3u);
  EXPECT_EQ(kept[0].reason, Errc::bad_signature);
  EXPECT_EQ(kept[0].peer, peer_.node());
  EXPECT_EQ(*kept[2].bytes, *noise.bytes);
  EXPECT_EQ(replica_->stats().refused.at("bad_signature"), 1u);
  EXPECT_EQ(replica_->stats().quarantined.at("bad_signature"), 1u);
  hear_live(peer_, {noise, good});  // one of several does not harm the others
  serve();
  EXPECT_EQ(refusals(), 4u);
  EXPECT_EQ(stored(peer_.log()).held(), set_of(1, 3));
}

// Of a segment with any bit flipped nothing is taken but what was signed, encoded otherwise.
TEST_F(ReceiverTest, NothingTamperedIsTaken) {
  start_linked();
  meet();
  const SegmentRecord good = peer_.samples(3);
  const auto entries_of = [](const Bytes& bytes) {
    return decode_entries(parse_segment(bytes).value()).value();
  };
  std::size_t flips = 0, taken = 0;
  dunlin::test::for_each_flip(*good.bytes, [&](const Bytes& flipped, std::size_t bit) {
    SegmentRecord tampered = good;
    tampered.bytes = std::make_shared<const Bytes>(flipped);
    hear_live(peer_, {tampered});
    ++flips;
    for (const Write& write : take<Write>()) {
      for (const SegmentRecord& segment : write.segments) {
        EXPECT_EQ(segment.info.log, peer_.log()) << "bit " << bit;
        EXPECT_EQ(segment.info.after, good.info.after) << "bit " << bit;
        EXPECT_EQ(entries_of(*segment.bytes), entries_of(*good.bytes)) << "bit " << bit;
        ++taken;
      }
      fail(write);
    }
    outputs_.clear();
  });
  EXPECT_GT(flips, 1'500u);
  EXPECT_LT(taken, 16u);
  EXPECT_EQ(stored(peer_.log()).held(), IntervalSet{});
  hear_live(peer_, {good});
  serve();
  EXPECT_EQ(stored(peer_.log()).held(), set_of(1, 3));
}

TEST_F(ReceiverTest, LostIsNotMissing) {
  start_linked();
  meet();
  (void)peer_.samples(4);
  hear_live(peer_, {peer_.samples(2)});
  serve();
  EXPECT_EQ(status(peer_.log()).missing, set_of(1, 4));
  Lost lost;
  lost.epoch = peer_.log().epoch;
  lost.track = kSamplesTrack;
  lost.ranges = {{1, 3, {}, {}, 30}};
  hear_live(peer_, {peer_.control({lost})});
  serve();
  EXPECT_EQ(status(peer_.log()).missing, set_of(4, 4));
  EXPECT_EQ(status(peer_.log()).lost_entries, 3u);
  EXPECT_EQ(status(peer_.log()).lost_readings, 30u);
}

TEST_F(ReceiverTest, ABranchThatLosesIsReportedOnce) {
  hear_two_branches(true);
}

TEST_F(ReceiverTest, ABranchThatWinsTakesThePlaceOfTheFirst) {
  hear_two_branches(false);
}

TEST_F(ReceiverTest, WhatRetentionTakesIsNeitherMissingNorLost) {
  start_linked();
  meet();
  hear_live(peer_, {peer_.samples(3)});
  hear_live(peer_, {peer_.samples(3)});
  serve();
  ASSERT_TRUE(step(Retire{store_->oldest(peer_.log(), 1).value()}).ok());
  serve();
  EXPECT_EQ(stored(peer_.log()).held(), set_of(4, 6));
  EXPECT_EQ(status(peer_.log()).missing_entries, 0u);
  EXPECT_EQ(status(peer_.log()).lost_entries, 0u);
  pass(10min);
  EXPECT_TRUE(sent<Fetch>().empty());
}

TEST_F(ReceiverTest, OfManyUnsealedEpochsOnlyTrackZeroIsTaken) {
  start_linked();
  greet(peer_, Role::agent);
  std::vector<test::SegmentMaker> epochs;
  const auto live = [&](const std::vector<SegmentRecord>& segments) {
    hear_live(peer_, segments);
    serve();
  };
  for (std::uint64_t n = 0; n < 17; ++n) {
    epochs.emplace_back(Epoch{100 + n}, peer_.shared_key());
    live({epochs.back().open()});
    live({epochs.back().samples()});
  }
  EXPECT_EQ(refusals(), 1u);
  EXPECT_EQ(stored(epochs[15].log()).head(), 1u);
  EXPECT_EQ(stored(epochs[16].log(kControlTrack)).head(), 1u);
  EXPECT_EQ(stored(epochs[16].log()).head(), 0u);
  const LogState first = stored(epochs[0].log());
  live({epochs[16].control({Seal{Epoch{100}, kSamplesTrack, first.head(), first.head_hash()}})});
  EXPECT_TRUE(status(epochs[0].log()).sealed);
  EXPECT_FALSE(status(epochs[1].log()).sealed);
  live({epochs[16].samples()});
  EXPECT_EQ(stored(epochs[16].log()).head(), 2u);
}

// Logs count from when they are heard of: no commit comes between the segments of a message.
TEST_F(ReceiverTest, NoMoreLogsAreNamedThanANodeMayHave) {
  start_linked();
  meet();
  std::vector<SegmentRecord> segments;
  for (std::uint64_t n = 0; n < 3; ++n) {
    std::vector<Op> ops;
    for (std::uint64_t track = 1; track <= 100; ++track)
      ops.push_back(Lost{peer_.log().epoch, Track{100 * n + track}, {{1, 1, {}, {}, 1}}});
    segments.push_back(peer_.control(std::move(ops)));
  }
  hear_live(peer_, segments);
  EXPECT_EQ(replica_->stats().refused.at("too_large"), 1u);
  serve();
  EXPECT_EQ(known(peer_.node())->logs.size(), 201u);
  hear_live(peer_, {segments[2]});
  serve();
  EXPECT_EQ(store_->load()->logs.size(), 202u);  // with the own one
}

// A Seal asks for no open epoch: whoever sat out many of them hears of their ends.
TEST_F(ReceiverTest, ManyEpochsMayBeSealedAtOnce) {
  start_linked();
  meet();
  std::vector<Op> seals, losses;
  for (std::uint64_t n = 0; n < 17; ++n) {
    seals.push_back(Seal{Epoch{100 + n}, kSamplesTrack, 1, {}});
    losses.push_back(Lost{Epoch{200 + n}, kSamplesTrack, {{1, 1, {}, {}, 1}}});
  }
  hear_live(peer_, {peer_.control(std::move(seals))});
  serve();
  EXPECT_EQ(refusals(), 0u);
  EXPECT_EQ(status(peer_.log(kControlTrack)).head, 2u);
  hear_live(peer_, {peer_.control(std::move(losses))});
  EXPECT_EQ(replica_->stats().refused.at("too_large"), 1u);
}

// It is not lost: when gaps are closed there is room for it, and nothing of it is for a person.
TEST_F(ReceiverTest, ALogInTooManyPiecesWaitsUntilGapsAreClosed) {
  start_linked({.pieces_max = 3});
  meet();
  std::vector<SegmentRecord> all;
  for (int i = 0; i < 10; ++i) all.push_back(peer_.samples());
  hear_live(peer_, {all[1], all[3], all[5], all[7]});  // 2, 4, 6 and 8
  EXPECT_EQ(replica_->stats().refused.at("backpressure"), 1u);
  EXPECT_TRUE(replica_->stats().quarantined.empty());
  serve();
  EXPECT_EQ(stored(peer_.log()).runs().size(), 3u);
  hear_live(peer_, {all[9], all[6], all[2]});  // the first of them would be another piece
  serve();
  EXPECT_EQ(replica_->stats().refused.at("backpressure"), 2u);
  EXPECT_EQ(stored(peer_.log()).runs().size(), 2u);
  hear_live(peer_, {all[9]});
  serve();
  EXPECT_EQ(stored(peer_.log()).head(), 10u);
}

TEST_F(ReceiverTest, LostRangesOfALogAreBounded) {
  start_linked({.pieces_max = 10});
  meet();
  const auto lost = [&](Seq first, int ranges) {
    Lost op{peer_.log().epoch, kSamplesTrack, {}};
    for (int i = 0; i < ranges; ++i, first += 2) op.ranges.push_back({first, first, {}, {}, 1});
    hear_live(peer_, {peer_.control({op})});
    serve();
  };
  lost(1, 10);
  lost(1, 10);  // says the same again
  EXPECT_EQ(refusals(), 0u);
  lost(31, 5);
  EXPECT_EQ(replica_->stats().refused.at("too_large"), 1u);
  EXPECT_EQ(stored(peer_.log()).lost().intervals().size(), 10u);
}

TEST_F(ReceiverTest, WhoComesIsToldWhatIsHere) {
  start_linked();
  greet(peer_, Role::agent);
  auto vectors = sent<Vector>();
  ASSERT_EQ(vectors.size(), 1u);
  EXPECT_TRUE(vectors[0].whole);
  EXPECT_TRUE(vectors[0].logs.empty());
  hear_live(peer_, {peer_.open()});
  hear_live(peer_, {peer_.samples()});
  serve();
  outputs_.clear();
  hear_live(peer_, {peer_.samples()});
  serve();
  vectors = sent<Vector>();
  ASSERT_EQ(vectors.size(), 1u);  // of what changed
  EXPECT_FALSE(vectors[0].whole);
  ASSERT_EQ(vectors[0].logs.size(), 1u);
  EXPECT_EQ(vectors[0].logs[0].log, peer_.log());
  EXPECT_EQ(vectors[0].logs[0].head, 2u);
  EXPECT_EQ(vectors[0].logs[0].hash, stored(peer_.log()).head_hash());
  hear(TopicClass::gossip, peer_.node(), peer_.wrap(Vector{}));  // it asks
  vectors = sent<Vector>();
  ASSERT_EQ(vectors.size(), 1u);
  EXPECT_TRUE(vectors[0].whole);
  EXPECT_EQ(vectors[0].logs.size(), 2u);
}

}  // namespace
}  // namespace dunlin::replication
