#include "common/replication/origin.h"

#include "tests/unit/common/replication/replica_fixture.h"

namespace dunlin::replication {
namespace {

using namespace test;

class OriginTest : public ReplicaTest {
 protected:
  // An agent whose track 0 is on the disk, with a gateway in reach.
  void start_linked(ReplicaOptions options = agent_options()) {
    start(std::move(options));
    serve();
    ASSERT_TRUE(step(LinkUp{}).ok());
    greet(gateway_, Role::gateway);
    store_entry();
    acknowledge(gateway_, own(kControlTrack), 2);
    acknowledge(gateway_, own(), 1);
    outputs_.clear();
  }
  // The same, with a bound of a million bytes.
  void start_bounded(Overflow overflow = Overflow::drop_oldest) {
    ReplicaOptions options = agent_options();
    options.origin.storage_bytes_max = 1'000'000;
    options.origin.tracks[0].overflow = overflow;
    start_linked(std::move(options));
  }
  void report_space(std::uint64_t bytes, std::uint64_t of_samples) {
    StorageUsed used{bytes, 1ULL << 40, {}};
    used.own[own()] = of_samples;
    ASSERT_TRUE(step(std::move(used)).ok());
  }
  std::vector<LostRange> declared(const std::vector<Write>& writes) const {
    for (const Write& write : writes) {
      for (const SegmentRecord& segment : write.segments) {
        for (const Entry& entry : segment.control) {
          for (const Op& op : entry.ops) {
            if (const auto* lost = std::get_if<Lost>(&op)) return lost->ranges;
          }
        }
      }
    }
    return {};
  }

  Peer gateway_{Role::gateway};
};

TEST_F(OriginTest, NothingIsPushedBeforeItIsDurable) {
  start_linked();
  append_entry();
  const auto writes = take<Write>();
  ASSERT_EQ(writes.size(), 1u);
  pass(1s);
  EXPECT_TRUE(sent<Segments>().empty());
  EXPECT_TRUE(take<Durable>().empty());
  finish(writes[0]);
  const auto pushed = sent<Segments>();
  ASSERT_EQ(pushed.size(), 1u);
  ASSERT_EQ(pushed[0].segments.size(), 1u);
  EXPECT_EQ(*pushed[0].segments[0], *writes[0].segments[0].bytes);
  EXPECT_EQ(pushed[0].request, 0u);
  const auto durable = take<Durable>();
  ASSERT_EQ(durable.size(), 1u);
  EXPECT_EQ(durable[0].ticket, 2u);
}

TEST_F(OriginTest, DurableCoversNoMoreThanIsWritten) {
  start_linked();
  append_entry();  // ticket 2
  const auto first = take<Write>();
  append_entry();  // ticket 3 waits for the write under way
  EXPECT_TRUE(take<Write>().empty());
  ASSERT_TRUE(append().ok());  // ticket 4 is not even cut
  ASSERT_EQ(first.size(), 1u);
  finish(first[0]);
  pass(5ms);
  EXPECT_EQ(take<Durable>().back().ticket, 2u);
  const auto second = take<Write>();
  ASSERT_EQ(second.size(), 1u);
  finish(second[0]);
  EXPECT_EQ(take<Durable>().back().ticket, 3u);
}

TEST_F(OriginTest, AFailedWriteIsTriedAgainAndNothingIsLost) {
  start_linked();
  append_entry();
  auto writes = take<Write>();
  ASSERT_EQ(writes.size(), 1u);
  const Bytes bytes = *writes[0].segments[0].bytes;
  Duration wait = 1s;
  for (int tries = 0; tries < 4; ++tries, wait *= 2) {
    fail(writes[0]);
    append_entry();  // is taken, and waits
    pass(wait - 10ms);
    EXPECT_TRUE(take<Write>().empty()) << tries;
    pass(10ms);
    writes = take<Write>();
    ASSERT_EQ(writes.size(), 1u) << tries;
    EXPECT_EQ(*writes[0].segments[0].bytes, bytes);
  }
  EXPECT_TRUE(take<Durable>().empty());
  EXPECT_TRUE(sent<Segments>().empty());
  finish(writes[0]);
  serve();
  EXPECT_EQ(stored(own()).held().intervals(), (std::vector<Interval>{{1, 6}}));
  EXPECT_EQ(take<Durable>().back().ticket, 6u);
}

TEST_F(OriginTest, ReadingsBeyondTheBoundWaitOrAreRefused) {
  ReplicaOptions options = agent_options();
  options.origin.unwritten_bytes_max = 4000;
  start_linked(std::move(options));
  while (append(1, 500).ok()) ASSERT_LT(replica_->stats().readings_appended, 100u);
  const auto taken = replica_->stats().readings_appended;
  EXPECT_EQ(append(1, 500).error().code, Errc::backpressure);
  EXPECT_EQ(replica_->stats().readings_appended, taken);
  ASSERT_TRUE(step(Flush{}).ok());
  pass(5ms);
  auto writes = take<Write>();
  ASSERT_EQ(writes.size(), 1u);
  EXPECT_EQ(append(1, 500).error().code, Errc::backpressure);
  fail(writes[0]);
  EXPECT_EQ(append(1, 500).error().code, Errc::storage_full);
  pass(2s);
  serve();
  EXPECT_TRUE(append(1, 500).ok());
}

// However busy it is: what it pushes says nothing of its disk.
TEST_F(OriginTest, ABusyAgentSaysHowItsDiskIsAsWell) {
  start_linked();
  ASSERT_TRUE(step(StorageUsed{.bytes = 4096, .disk_free = 1 << 20, .written = 77}).ok());
  std::size_t said = 0;
  for (Seq seq = 2; seq < 120; ++seq) {
    store_entry();
    acknowledge(gateway_, own(), seq);
    pass(10s);
    for (const Vector& vector : sent<Vector>()) {
      ++said;
      EXPECT_TRUE(vector.storage.has_value());
    }
  }
  EXPECT_GE(said, 3U) << "in twenty minutes, every five";
}

TEST_F(OriginTest, TheWindowClosesAndOpensWithTheVector) {
  ReplicaOptions options = agent_options();
  options.uplink.window_bytes = 10'000;
  start_linked(std::move(options));
  for (int i = 0; i < 6; ++i) store_entry(4000);
  const auto pushed = carried(sent<Segments>());
  ASSERT_GE(pushed.size(), 1u);
  EXPECT_LT(pushed.size(), 4u);
  EXPECT_EQ(pushed.front().second, (Interval{2, 2}));
  EXPECT_EQ(replica_->stats().live_skipped, 6 - pushed.size());
  EXPECT_TRUE(sent<Vector>().empty());

  // Who is no gateway opens nothing.
  Peer agent;
  greet(agent, Role::agent);
  acknowledge(agent, own(), 7);
  store_entry(4000);
  EXPECT_TRUE(sent<Segments>().empty());
  EXPECT_TRUE(sent<Vector>().empty());

  // What was pushed is there: say at once how far the log goes, and push again.
  acknowledge(gateway_, own(), pushed.back().second.last);
  const auto said = sent<Vector>();
  ASSERT_EQ(said.size(), 1u);
  for (const Vector::Item& item : said[0].logs) {
    EXPECT_EQ(item.head, item.log == own() ? 8u : 2u);
  }
  store_entry(4000);
  EXPECT_EQ(carried(sent<Segments>()),
            (std::vector<std::pair<Track, Interval>>{{kSamplesTrack, {9, 9}}}));
}

TEST_F(OriginTest, WhatIsAcknowledgedIsKeptWithTheNextWrite) {
  start_linked();
  for (int i = 0; i < 5; ++i) store_entry();
  acknowledge(gateway_, own(), 6, set_of(3, 4));
  store_entry();
  EXPECT_EQ(stored(own()).acked().intervals(), (std::vector<Interval>{{1, 2}, {5, 6}}));
}

TEST_F(OriginTest, WhatAGatewayHoldsGoesWithoutWords) {
  start_linked();
  for (int i = 0; i < 4; ++i) store_entry(4000);
  acknowledge(gateway_, own(), 5);
  const auto oldest = store_->oldest(own(), 1 << 20).value();
  ASSERT_TRUE(step(Retire{oldest}).ok());
  pass(5ms);
  serve();
  EXPECT_EQ(stored(own()).held().count(), 0u);
  EXPECT_EQ(stored(own()).lost().count(), 0u);
  EXPECT_EQ(status(own()).lost_entries, 0u);
  EXPECT_EQ(status(own()).missing_entries, 0u);
  store_entry();
  EXPECT_EQ(stored(own()).held().intervals(), (std::vector<Interval>{{6, 6}}));
}

TEST_F(OriginTest, RetentionKeepsWhatIsNotAcknowledged) {
  start_linked();
  for (int i = 0; i < 4; ++i) store_entry();
  acknowledge(gateway_, own(), 3);
  ASSERT_TRUE(step(Retire{store_->oldest(own(), 1 << 20).value()}).ok());
  pass(5ms);
  serve();
  EXPECT_EQ(stored(own()).held().intervals(), (std::vector<Interval>{{4, 5}}));
}

// What was acknowledged goes first. Then every other stretch of the older half, and then every
// other one of what was left there.
TEST_F(OriginTest, DropAlternateThinsTheOlderHalf) {
  constexpr Seq kEntries = 34;
  ReplicaOptions options = agent_options();
  options.origin.storage_bytes_max = 100'000;
  options.origin.tracks[0].overflow = Overflow::drop_alternate;
  start_linked(std::move(options));
  for (Seq n = 1; n <= kEntries; ++n) store_entry(4000);
  acknowledge(gateway_, own(), 2);
  const auto make_room = [&] {
    report_space(100'001, store_->log_bytes(own()));
    serve();
    pass(5ms);
    serve();
    report_space(90'000, store_->log_bytes(own()));
  };
  make_room();
  EXPECT_TRUE(stored(own()).lost().empty());
  EXPECT_EQ(stored(own()).held().first(), 3u);
  // 32 entries are left, two in a stretch. Readings go on.
  std::vector<std::vector<Interval>> lost;
  for (int round = 0; round < 10; ++round) {
    make_room();
    lost.push_back(stored(own()).lost().intervals());
    store_entry(4000), store_entry(4000);
  }
  EXPECT_EQ(lost[0], (std::vector<Interval>{{5, 6}}));
  EXPECT_EQ(lost[1], (std::vector<Interval>{{5, 6}, {9, 10}}));
  EXPECT_EQ(lost[7],
            (std::vector<Interval>{
                {5, 6}, {9, 10}, {13, 14}, {17, 18}, {21, 22}, {25, 26}, {29, 30}, {33, 34}}));
  EXPECT_EQ(lost[8].front(), (Interval{5, 10}));
  EXPECT_EQ(lost[9],
            (std::vector<Interval>{{5, 10}, {13, 18}, {21, 22}, {25, 26}, {29, 30}, {33, 34}}));
  EXPECT_EQ(replica_->stats().lost_entries.at("drop_alternate"), 20u);
}

TEST_F(OriginTest, DropOldestDeclaresWhatIsLost) {
  start_bounded();
  for (int i = 0; i < 9; ++i) store_entry(4000);
  acknowledge(gateway_, own(), 2);
  Seq gone = 0;
  for (int round = 0; round < 2; ++round) {
    const std::uint64_t bytes = store_->log_bytes(own());
    report_space(1'000'001, bytes);  // some three percent of the bound have to go
    const auto lists = take<ListOldest>();
    ASSERT_EQ(lists.size(), 1u);
    ASSERT_TRUE(step(OldestListed{lists[0].token, store_->oldest(lists[0].log, 12'000)}).ok());
    pass(5ms);
    const auto writes = take<Write>();
    ASSERT_EQ(writes.size(), 1u);
    ASSERT_FALSE(writes[0].releases.empty());
    gone = writes[0].releases.back().interval.last;
    // In the same transaction, and of both rounds together; what was acknowledged is not lost.
    const auto ranges = declared(writes);
    ASSERT_EQ(ranges.size(), 1u);
    EXPECT_EQ(ranges[0].first, 3u);
    EXPECT_EQ(ranges[0].last, gone);
    EXPECT_EQ(ranges[0].readings, gone - 2);
    finish(writes[0]);
    report_space(900'000, store_->log_bytes(own()));
    serve();
    EXPECT_EQ(stored(own()).lost().intervals(), (std::vector<Interval>{{3, gone}}));
    EXPECT_EQ(stored(own()).held().first(), gone + 1);
  }
  EXPECT_EQ(replica_->stats().lost_entries.at("drop_oldest"), gone - 2);
  EXPECT_EQ(status(own()).lost_entries, gone - 2);
  EXPECT_EQ(take<Notice>().size(), 2u);
}

// A count from before a release does not make room twice: nothing unacknowledged goes for it.
TEST_F(OriginTest, WhatIsOnItsWayOutCountsAsGone) {
  start_bounded();
  for (int i = 0; i < 9; ++i) store_entry(4000);
  acknowledge(gateway_, own(), 5);
  const std::uint64_t before = store_->log_bytes(own());
  report_space(1'000'001, before);
  const auto lists = take<ListOldest>();
  ASSERT_EQ(lists.size(), 1u);
  ASSERT_TRUE(step(OldestListed{lists[0].token, store_->oldest(own(), 12'000)}).ok());
  report_space(1'000'001, before);  // the release waits for its write
  pass(5ms);
  const auto writes = take<Write>();
  ASSERT_EQ(writes.size(), 1u);
  EXPECT_FALSE(writes[0].releases.empty());
  report_space(1'000'001, before);  // or it is with storage
  EXPECT_TRUE(take<ListOldest>().empty());
  finish(writes[0]);
  EXPECT_EQ(status(own()).lost_entries, 0u);
  report_space(1'000'001, before);  // counted anew, there is still too much
  EXPECT_EQ(take<ListOldest>().size(), 1u);
}

// Also when the write that found it full had releases of its own.
TEST_F(OriginTest, AFullDiskGetsRelief) {
  start_bounded();
  for (int i = 0; i < 100; ++i) store_entry(4000);
  append_entry(4000);
  const auto first = take<Write>();
  ASSERT_EQ(first.size(), 1u);
  report_space(1'200'000, store_->log_bytes(own()));
  for (const ListOldest& list : take<ListOldest>()) answer(list);
  ASSERT_TRUE(append(1, 4000).ok());
  ASSERT_TRUE(step(Flush{}).ok());
  finish(first[0]);
  bool relief = false;
  for (int tries = 0; tries < 10 && !relief; ++tries) {
    pass(10s);
    for (const Write& write : take<Write>()) {
      const bool data =
          std::any_of(write.segments.begin(), write.segments.end(),
                      [](const auto& s) { return s.info.log.track != kControlTrack; });
      relief = relief || (!data && !write.releases.empty());
      data ? fail(write, Errc::storage_full) : finish(write);
    }
    for (const ListOldest& list : take<ListOldest>()) answer(list);
  }
  EXPECT_TRUE(relief);
}

TEST_F(OriginTest, RefuseNewKeepsWhatItHas) {
  start_bounded(Overflow::refuse_new);
  for (int i = 0; i < 4; ++i) store_entry(4000);
  ASSERT_TRUE(step(Retire{store_->oldest(own(), 1).value()}).ok());  // entry 1 is acknowledged
  pass(5ms);
  serve();
  report_space(1'000'001, store_->log_bytes(own()));
  serve();
  EXPECT_EQ(append().error().code, Errc::storage_full);
  EXPECT_EQ(stored(own()).held().intervals(), (std::vector<Interval>{{2, 5}}));
  EXPECT_EQ(status(own()).lost_entries, 0u);

  // Room comes with acknowledgements.
  acknowledge(gateway_, own(), 5);
  report_space(1'000'001, store_->log_bytes(own()));
  serve();
  EXPECT_LT(stored(own()).held().count(), 4u);
  EXPECT_EQ(status(own()).lost_entries, 0u);
  report_space(900'000, store_->log_bytes(own()));
  serve();
  EXPECT_TRUE(append().ok());
}

TEST_F(OriginTest, ATrackThatRefusesLeavesTheOthersAlone) {
  ReplicaOptions options = agent_options();
  TrackPolicy small = options.origin.tracks[0];
  small.name = "small";
  small.track = track_of(small.name);
  small.bytes_max = 10'000;
  small.overflow = Overflow::refuse_new;
  options.origin.tracks.push_back(small);
  options.origin.stream_tracks["alarms"] = "small";
  start_linked(std::move(options));
  StreamSchema alarms = kNoise;
  alarms.name = "alarms";
  const auto alarm = [&] {
    Append append{alarms, Rows(2), false, next_ticket()};
    append.rows.begin_row(now_.utc);
    append.rows.add_integer(1), append.rows.add_text("fire");
    return step(std::move(append));
  };
  ASSERT_TRUE(alarm().ok());
  ASSERT_TRUE(step(Flush{}).ok());
  serve();
  StorageUsed used{20'000, 1ULL << 40, {}};
  used.own[own(small.track)] = 10'001;
  ASSERT_TRUE(step(used).ok());
  serve();
  EXPECT_EQ(alarm().error().code, Errc::storage_full);
  EXPECT_TRUE(append().ok());
  used.own[own(small.track)] = 9'000;
  ASSERT_TRUE(step(used).ok());
  serve();
  EXPECT_TRUE(alarm().ok());
}

// Whatever the wall clock does, and over a restart.
TEST_F(OriginTest, TheHybridClockOnlyGrows) {
  start_linked();
  Hlc last{};
  const auto next = [&] {
    append_entry();
    const auto writes = take<Write>();
    ASSERT_EQ(writes.size(), 1u);
    for (const SegmentRecord& segment : writes[0].segments) {
      if (segment.info.log != own()) continue;
      EXPECT_GT(segment.info.hlc_last, last);
      last = segment.info.hlc_last;
    }
    finish(writes[0]);
    outputs_.clear();
  };
  const UtcMicros start_utc = now_.utc;
  for (const UtcMicros utc : {start_utc, start_utc - 3'600'000'000, UtcMicros{0}, UtcMicros{-5},
                              start_utc + 7'200'000'000, start_utc}) {
    now_.utc = utc;
    next();
  }
  EXPECT_EQ(last.millis(), static_cast<std::uint64_t>(start_utc / 1000) + 7'200'000);
  now_.utc = 0;
  start(agent_options());
  next();
}

// Each track is below its own bounds, but together they hold all the room there is.
TEST_F(OriginTest, SeveralTracksDoNotStallEachOther) {
  ReplicaOptions options = agent_options();
  options.origin.tracks = {{.name = "samples"}, {.name = "slow", .track = track_of("slow")}};
  options.origin.stream_tracks["other"] = "slow";
  for (TrackPolicy& track : options.origin.tracks) track.flush_interval = 1h;
  start(options);
  serve();
  bool waited = false;
  for (int n = 0; n < 100; ++n) {
    const StreamSchema schema{n % 2 == 0 ? "air" : "other", {{"note", FieldType::text, "", 0}}};
    Append append{schema, Rows(1), false, next_ticket()};
    append.rows.begin_row(now_.utc);
    append.rows.add_text(std::string(2000, 'x'));
    Result<void> taken = step(append);
    if (!taken.ok()) {
      ASSERT_EQ(taken.error().code, Errc::backpressure);
      waited = true;
      pass(10ms);
      serve();
      taken = step(append);
    }
    ASSERT_TRUE(taken.ok()) << n;
  }
  EXPECT_TRUE(waited);
}

TEST_F(OriginTest, NoReadingsAreDurableAtOnce) {
  start_linked();
  (void)take<Durable>();
  ASSERT_TRUE(append(0).ok());
  const auto durable = take<Durable>();
  ASSERT_EQ(durable.size(), 1u);
  EXPECT_EQ(durable[0].ticket + 1, next_ticket());
}

// A gateway that lost its database takes back what it said.
TEST_F(OriginTest, WhatAGatewayLostIsNotAckedAnyMore) {
  start_linked();
  store_entry();
  store_entry();
  acknowledge(gateway_, own(), 3);
  store_entry();
  EXPECT_EQ(stored(own()).acked(), set_of(1, 3));
  acknowledge(gateway_, own(), 4, set_of(1, 2));
  store_entry();
  EXPECT_EQ(stored(own()).acked(), set_of(3, 4));
}

// A broker that kept a former word brings back nothing with it.
TEST_F(OriginTest, AFormerAckDoesNotCountAgain) {
  start_linked();
  store_entry();
  store_entry();
  arrive(gateway_, own(), 3);
  const Bytes former = gateway_.ack(replica_->self(), nonce_, {item(own(), 3)});
  const Bytes later = gateway_.ack(replica_->self(), nonce_, {item(own(), 3, set_of(1, 2))});
  const auto acked_after = [&](const Bytes& ack) {
    hear(TopicClass::inbox, gateway_.node(), ack);
    store_entry();
    return stored(own()).acked();
  };
  EXPECT_EQ(acked_after(former), set_of(1, 3));
  EXPECT_EQ(acked_after(later), set_of(3, 3));
  EXPECT_EQ(acked_after(former), set_of(3, 3));
  // In another envelope its signature is none, and of another instance nothing counts.
  Envelope envelope = decode_envelope(former).value();
  envelope.counter += 1000;
  EXPECT_EQ(acked_after(encode_envelope(envelope)), set_of(3, 3));
  EXPECT_EQ(refusals(), 1u);
  gateway_.nonce = Nonce{gateway_.nonce.value + 1};
  EXPECT_EQ(acked_after(gateway_.ack(replica_->self(), nonce_, {item(own(), 3)})), set_of(3, 3));
  greet(gateway_, Role::gateway);
  EXPECT_EQ(acked_after(gateway_.ack(replica_->self(), nonce_, {item(own(), 3)})), set_of(1, 3));
}

// A Vector opens the window, and tells nothing that may be relied on.
TEST_F(OriginTest, WhatIsNotSignedStays) {
  start_linked();
  for (int i = 0; i < 3; ++i) store_entry();
  arrive(gateway_, own(), 4);
  store_entry();
  EXPECT_EQ(stored(own()).acked(), set_of(1, 1));
  Ack forged{replica_->self(), nonce_, {item(own(), 4)}, {}};
  hear(TopicClass::inbox, gateway_.node(), gateway_.wrap(forged));
  EXPECT_EQ(refusals(), 1u);
  hear(TopicClass::inbox, gateway_.node(),
       gateway_.ack(replica_->self(), Nonce{nonce_.value + 1}, {item(own(), 4)}));
  store_entry();
  EXPECT_EQ(stored(own()).acked(), set_of(1, 1));
}

TEST_F(OriginTest, AnAckThatDidNotComeIsAskedFor) {
  start_linked();
  store_entry();
  arrive(gateway_, own(), 2), arrive(gateway_, own(kControlTrack), 2);
  const auto asked = [&] {
    std::size_t n = 0;
    for (const Send& send : take<Send>())
      n += send.topic == TopicClass::inbox && send.target == gateway_.node() ? 1U : 0U;
    return n;
  };
  (void)asked();
  pass(31s);
  EXPECT_EQ(asked(), 1u);
  acknowledge(gateway_, own(), 2), acknowledge(gateway_, own(kControlTrack), 2);
  pass(10min);
  EXPECT_EQ(asked(), 0u);
}

TEST_F(OriginTest, ItTakesTheAcksOfSeveralNamedGateways) {
  Peer second(Role::gateway), third(Role::gateway), stranger(Role::gateway);
  ReplicaOptions options = agent_options();
  options.uplink.archive = {{gateway_.node(), second.node(), third.node()}, 2};
  start_linked(std::move(options));
  for (Peer* peer : {&second, &third, &stranger}) greet(*peer, Role::gateway);
  for (int i = 0; i < 5; ++i) store_entry();
  const auto acked = [&] {
    store_entry();
    return stored(own()).acked();
  };
  acknowledge(gateway_, own(), 4);
  acknowledge(stranger, own(), 6);
  EXPECT_EQ(acked(), IntervalSet{});
  acknowledge(third, own(), 6, set_of(2, 2));  // the second is dead
  IntervalSet both = set_of(1, 1);
  both.insert({3, 4});
  EXPECT_EQ(acked(), both);
  acknowledge(gateway_, own(), 6, set_of(1, 3));  // it lost its database, and fetches again
  EXPECT_EQ(acked(), set_of(4, 6));
}

// This database is an older copy, and what was appended to it since may differ.
TEST_F(OriginTest, NothingIsAckedByWhoHoldsMore) {
  start_linked();
  store_entry();
  acknowledge(gateway_, own(), 9);
  store_entry();
  EXPECT_EQ(stored(own()).acked(), set_of(1, 1));
  EXPECT_EQ(sent<Fetch>().size(), 1u);  // it has to prove it
}

}  // namespace
}  // namespace dunlin::replication
