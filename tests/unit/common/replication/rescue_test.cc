#include "common/replication/rescue.h"

#include <filesystem>

#include "tests/unit/common/replication/replica_fixture.h"

namespace dunlin::replication {
namespace {

using namespace test;

// An agent whose database may be an old copy, and a gateway that remembers what the other one
// wrote.
class RescueTest : public ReplicaTest {
 protected:
  // An agent that stored `entries` entries; the database as it is then is kept.
  void live_first_life(int entries) {
    start(agent_options());
    serve();
    for (int i = 0; i < entries; ++i) store_entry();
    store_.reset();
    std::filesystem::copy_file(folder_.file("log.db"), folder_.file("backup.db"));
    start(agent_options());
    serve();
  }
  // What is stored is what the gateway has; then the database is the old one again.
  void go_back(Seq control_head, Seq samples_head) {
    for (const auto& [track, head] :
         {std::pair(kControlTrack, control_head), std::pair(kSamplesTrack, samples_head)}) {
      there_.push_back(item(own(track), head));
      const auto stored = store_->read(own(track), {1, head}, 1 << 20).value();
      for (const StoredSegment& segment : stored)
        segments_[track].push_back(std::make_shared<const Bytes>(segment.bytes));
    }
    store_.reset();
    std::filesystem::remove(folder_.file("log.db-wal"));
    std::filesystem::remove(folder_.file("log.db-shm"));
    std::filesystem::copy_file(folder_.file("backup.db"), folder_.file("log.db"),
                               std::filesystem::copy_options::overwrite_existing);
    start(agent_options());
    serve();
  }
  void forget_everything() {
    replica_.reset();
    store_.reset();
    for (const char* file : {"backup.db", "log.db", "log.db-wal", "log.db-shm"})
      std::filesystem::remove(folder_.file(file));
    there_.clear(), segments_.clear();
  }
  void link() {
    ASSERT_TRUE(step(LinkUp{}).ok());
    greet(gateway_, Role::gateway);
  }
  void say(const std::vector<Vector::Item>& items) {
    hear(TopicClass::inbox, gateway_.node(), gateway_.vector(items));
  }
  // It says so, and signs it.
  void sign(const std::vector<Vector::Item>& items) {
    say(items);
    hear(TopicClass::inbox, gateway_.node(), gateway_.ack(replica_->self(), nonce_, items));
  }
  // Answers every Fetch and every question as the gateway would, until none comes.
  void be_the_gateway() {
    for (int quiet = 0; quiet < 2; ++quiet) {
      serve();
      for (const Vector& vector : sent<Vector>()) {
        if (vector.logs.empty()) say(there_), quiet = 0;
      }
      if (answer_fetches()) quiet = 0;
    }
  }
  // As the gateway would; false when there was none.
  bool answer_fetches() {
    const auto fetches = sent<Fetch>();
    for (const Fetch& fetch : fetches) {
      const Seq wanted = fetch.wants.at(0).wanted.intervals().at(0).first;
      Segments answer{.lane = Lane::bulk, .request = fetch.request, .segments = {}};
      for (const auto& bytes : segments_[fetch.wants[0].log.track]) {
        const SegmentHeader header = parse_segment(*bytes).value();
        if (header.first <= wanted && wanted <= header.last) answer.segments.push_back(bytes);
      }
      answer.done = answer.segments.empty();
      hear(TopicClass::inbox, gateway_.node(), gateway_.wrap(answer));
    }
    return !fetches.empty();
  }
  std::vector<Op> stored_ops(Epoch epoch) {
    std::vector<Op> ops;
    const LogId log{replica_->self(), epoch, kControlTrack};
    const auto stored = store_->read(log, {1, 1000}, 1 << 20).value();
    for (const StoredSegment& segment : stored) {
      const SegmentHeader header = parse_segment(segment.bytes).value();
      std::vector<Entry> entries = decode_entries(header).value();
      for (Entry& entry : entries)
        std::move(entry.ops.begin(), entry.ops.end(), std::back_inserter(ops));
    }
    return ops;
  }
  std::map<Track, Seq> seals(Epoch epoch) {
    std::map<Track, Seq> found;
    for (const Op& op : stored_ops(replica_->epoch())) {
      const auto* seal = std::get_if<Seal>(&op);
      if (seal != nullptr && seal->epoch == epoch)
        found[seal->track] = std::max(found[seal->track], seal->last);
    }
    return found;
  }

  Peer gateway_{Role::gateway};
  std::vector<Vector::Item> there_;
  std::map<Track, std::vector<std::shared_ptr<const Bytes>>> segments_;
};

TEST_F(RescueTest, NothingGoesOutBeforeAGatewayKnowsTheDatabase) {
  live_first_life(3);
  link();
  store_entry();
  EXPECT_TRUE(sent<Segments>().empty());
  // Nor is it claimed, or served.
  hear(TopicClass::inbox, gateway_.node(), gateway_.wrap(Fetch{9, 1000, {{own(), set_of(1, 4)}}}));
  pass(3s);
  serve();
  EXPECT_TRUE(sent<Segments>().empty());
  const auto asked = sent<Vector>();
  ASSERT_FALSE(asked.empty());
  for (const Vector& vector : asked) EXPECT_TRUE(vector.logs.empty());
  say({item(own(kControlTrack), 2), item(own(), 3)});
  serve();
  const std::vector<Hello> hellos = sent<Hello>();
  EXPECT_TRUE(hellos.at(0).heads.empty());
  EXPECT_EQ(hellos.back().heads.size(), 2u);
  EXPECT_EQ(carried(sent<Segments>()),
            (std::vector<std::pair<Track, Interval>>{{kSamplesTrack, {4, 4}}}));
  store_entry();
  EXPECT_EQ(carried(sent<Segments>()),
            (std::vector<std::pair<Track, Interval>>{{kSamplesTrack, {5, 5}}}));
}

TEST_F(RescueTest, OnlyAWholeVectorTellsThatNothingElseIsThere) {
  live_first_life(1);
  link();
  hear(TopicClass::inbox, gateway_.node(),
       gateway_.wrap(Vector{{item(own(kControlTrack), 2)}, false}));
  serve();
  EXPECT_TRUE(sent<Segments>().empty());
}

TEST_F(RescueTest, AFreshDatabaseAsksNobody) {
  start(agent_options());
  serve();
  link();
  store_entry();
  EXPECT_FALSE(sent<Segments>().empty());
}

TEST_F(RescueTest, WhatAnOldCopyWroteMovesToANewEpoch) {
  live_first_life(3);
  store_entry();
  store_entry();
  go_back(2, 5);
  const Epoch old = replica_->epoch();
  store_entry();
  store_entry();
  store_entry();
  const LogId log = own();
  ASSERT_EQ(stored(log).head(), 6u);
  link();
  say(there_);
  be_the_gateway();
  ASSERT_NE(replica_->epoch(), old);
  EXPECT_EQ(stored(log).held(), set_of(1, 3));
  EXPECT_EQ(stored(log).head(), 3u);
  EXPECT_EQ(stored(own()).held(), set_of(1, 3));
  sign(there_);
  pass(60s);  // for track 0, which is as it was
  serve();
  EXPECT_EQ(seals(old), (std::map<Track, Seq>{{kControlTrack, 2}, {kSamplesTrack, 5}}));
  EXPECT_EQ(replica_->stats().entries_moved, 3u);
  EXPECT_EQ(replica_->stats().branches, 1u);
  // Nobody saw that there were two entries 4 of one log.
  for (const auto& message : sent<Segments>()) {
    for (const auto& bytes : message.segments) {
      const SegmentHeader header = parse_segment(*bytes).value();
      EXPECT_TRUE(header.log.epoch != old || header.last <= 3) << header.first;
    }
  }
  // It stays so, and readings go on in the new epoch.
  say(there_);
  be_the_gateway();
  start(agent_options());
  serve();
  EXPECT_NE(replica_->epoch(), old);
  store_entry();
  EXPECT_EQ(stored(own()).head(), 4u);
  EXPECT_EQ(replica_->stats().entries_moved, 0u);
}

// A disk that does not answer on the way is asked again when a gateway speaks again; until then
// everything stays where it was.
TEST_F(RescueTest, WhatCannotBeReadDoesNotMove) {
  live_first_life(3);
  store_entry();
  store_entry();
  go_back(2, 5);
  store_entry();
  const LogId log = own();
  link();
  for (int failures = 1; failures <= 2; ++failures) {
    say(there_);
    int failed = 0;
    for (int quiet = 0; quiet < 4;) {
      quiet += 1;
      for (const Write& write : take<Write>()) finish(write), quiet = 0;
      for (const Read& read : take<Read>()) {
        quiet = 0;
        if (++failed < failures) {
          answer(read);
        } else {
          (void)step(ReadFinished{read.token, Error{Errc::io, "a bad sector"}});
        }
      }
      answer_fetches();
      pass(5ms);
    }
    EXPECT_GE(failed, failures);
    EXPECT_EQ(stored(log).head(), 4u);
    EXPECT_EQ(replica_->stats().entries_moved, 0u);
    outputs_.clear();
  }
  say(there_);
  be_the_gateway();
  EXPECT_EQ(stored(log).head(), 3u);
  EXPECT_EQ(stored(own()).held(), set_of(1, 1));
  EXPECT_EQ(replica_->stats().entries_moved, 1u);
}

// At the bound of its disk an agent lets nothing of a log go that moves: it would be declared lost
// in the one and be there in the other.
TEST_F(RescueTest, NothingIsLetGoOfALogThatMoves) {
  live_first_life(3);
  store_entry(4000);
  store_entry(4000);
  go_back(2, 5);
  for (int i = 0; i < 4; ++i) store_entry(4000);
  const LogId log = own();
  ReplicaOptions options = agent_options();
  options.origin.storage_bytes_max = 1'000'000;
  start(std::move(options));
  serve();
  link();
  say(there_);
  StorageUsed full{1ULL << 40, 1ULL << 40, {}};
  full.own[log] = store_->log_bytes(log);
  bool moving = false;
  for (int quiet = 0; quiet < 2;) {
    quiet += 1;
    for (const Write& write : take<Write>()) {
      moving = moving || !write.rollbacks.empty();
      finish(write), quiet = 0;
    }
    if (moving) (void)step(StorageUsed(full));
    if (moving && replica_->stats().entries_moved < 3) {
      EXPECT_TRUE(append().ok());
    }
    for (const ListOldest& list : take<ListOldest>()) answer(list);
    for (const Read& read : take<Read>()) answer(read), quiet = 0;
    if (answer_fetches()) quiet = 0;
    pass(5ms);
  }
  EXPECT_TRUE(moving);
  EXPECT_EQ(replica_->stats().entries_moved, 4u);
}

TEST_F(RescueTest, AnOldCopyThatWroteNothingOnlyGoesOnElsewhere) {
  live_first_life(3);
  store_entry();
  go_back(2, 4);
  const Epoch old = replica_->epoch();
  const LogId log = own();
  link();
  say(there_);
  be_the_gateway();
  EXPECT_NE(replica_->epoch(), old);
  EXPECT_EQ(stored(log).head(), 3u);
  EXPECT_EQ(replica_->stats().entries_moved, 0u);
  sign(there_);
  pass(60s);
  serve();
  EXPECT_EQ(seals(old), (std::map<Track, Seq>{{kControlTrack, 2}, {kSamplesTrack, 4}}));
}

// A crash between any two writes leaves every entry in one of both logs.
TEST_F(RescueTest, ACrashOnTheWayLosesNothing) {
  for (int writes_done = 0; writes_done < 8; ++writes_done) {
    SCOPED_TRACE(writes_done);
    forget_everything();
    live_first_life(2);
    store_entry();
    go_back(2, 3);
    for (int i = 0; i < 3; ++i) store_entry();
    const Epoch old = replica_->epoch();
    link();
    say(there_);
    int writes = 0;
    for (int quiet = 0; quiet < 4 && writes < writes_done; ++quiet) {
      for (const Write& write : take<Write>()) {
        if (writes++ < writes_done) finish(write), quiet = 0;
      }
      for (const Read& read : take<Read>()) answer(read), quiet = 0;
      if (answer_fetches()) quiet = 0;
      pass(5ms);
    }
    start(agent_options());
    serve();
    link();
    say(there_);
    be_the_gateway();
    say(there_);
    be_the_gateway();
    Seq held = 0;
    const auto contents = store_->load().value();
    for (const LogState& state : contents.logs) {
      if (state.id().track == kSamplesTrack) held += state.held().count();
    }
    EXPECT_EQ(held, 5u);
    EXPECT_EQ(stored({replica_->self(), old, kSamplesTrack}).head(), 2u);
  }
}

TEST_F(RescueTest, DataMovesWithTheTrackZeroItNeeds) {
  live_first_life(1);
  // The other one learned of another stream, and told only track 0.
  Append other{{"other", {{"x", FieldType::int64, "", 0}}}, Rows(1), false, next_ticket()};
  other.rows.begin_row(now_.utc);
  other.rows.add_integer(1);
  ASSERT_TRUE(step(other).ok());
  ASSERT_TRUE(step(Flush{}).ok());
  serve();
  go_back(3, 1);
  const LogId log = own();
  Append mine{{"mine", {{"y", FieldType::text, "", 0}}}, Rows(1), false, next_ticket()};
  mine.rows.begin_row(now_.utc);
  mine.rows.add_text("mine");
  ASSERT_TRUE(step(mine).ok());
  ASSERT_TRUE(step(Flush{}).ok());
  serve();
  ASSERT_EQ(stored(log).head(), 2u);
  link();
  say(there_);
  be_the_gateway();
  say({item(own(kControlTrack), 1), there_[0], there_[1]});
  be_the_gateway();
  EXPECT_EQ(stored(log).head(), 1u);
  EXPECT_EQ(stored(log.control()).head(), 2u);
  EXPECT_EQ(stored(own()).head(), 1u);
  int defined = 0;
  for (const Op& op : stored_ops(replica_->epoch())) {
    const auto* define = std::get_if<Define>(&op);
    if (define != nullptr && define->schema.name == "mine") defined += 1;
  }
  EXPECT_EQ(defined, 1);
}

TEST_F(RescueTest, WhoCannotProveItIsNotBelieved) {
  live_first_life(3);
  const Epoch epoch = replica_->epoch();
  link();
  Vector::Item lie = item(own(), 3);
  lie.head = 9;
  lie.hash = sha256(as_bytes("a lie"));
  say({item(own(kControlTrack), 2), lie});
  const auto fetches = sent<Fetch>();
  ASSERT_EQ(fetches.size(), 1u);
  Peer stranger;
  hear_answer(stranger, {stranger.open()}, fetches[0].request, true);
  pass(1s);
  EXPECT_EQ(replica_->epoch(), epoch);
  EXPECT_EQ(refusals(), 1u);
  store_entry();
  EXPECT_FALSE(sent<Segments>().empty());
  say({item(own(kControlTrack), 2), lie});
  EXPECT_TRUE(sent<Fetch>().empty());
}

TEST_F(RescueTest, WhoDoesNotAnswerIsNotWaitedForForEver) {
  live_first_life(3);
  link();
  Vector::Item lie = item(own(), 3);
  lie.hash = sha256(as_bytes("a lie"));
  say({item(own(kControlTrack), 2), lie});
  EXPECT_EQ(sent<Fetch>().size(), 1u);
  pass(20s);
  EXPECT_EQ(sent<Fetch>().size(), 3u);
  store_entry();
  EXPECT_FALSE(sent<Segments>().empty());
}

// Both branches are out: a gateway signed for ours, another one has the other.
TEST_F(RescueTest, OfTwoPublicBranchesTheSmallerHashStays) {
  for (int round = 0; round < 8; ++round) {
    SCOPED_TRACE(round);
    forget_everything();
    live_first_life(1);
    store_entry();
    go_back(2, 2);
    store_entry();
    const LogId log = own();
    const Hash ours = item(log, 2).hash;
    const Hash theirs = there_[1].hash;
    ASSERT_NE(ours, theirs);
    Peer first(Role::gateway);
    ASSERT_TRUE(step(LinkUp{}).ok());
    greet(first, Role::gateway);
    acknowledge(first, log.control(), 2);
    acknowledge(first, log, 2);
    hear(TopicClass::inbox, first.node(),
         first.wrap(Vector{{item(log.control(), 2), item(log, 2)}}));
    pass(11s);
    serve();
    ASSERT_EQ(stored(log).acked(), set_of(1, 2));
    outputs_.clear();
    greet(gateway_, Role::gateway);
    say(there_);
    be_the_gateway();
    EXPECT_NE(replica_->epoch(), log.epoch);
    if (ours < theirs) {
      EXPECT_EQ(stored(log).head(), 2u);
      EXPECT_EQ(stored(own()).head(), 0u);
      const auto shown = carried(sent<Segments>());
      EXPECT_NE(
          std::find(shown.begin(), shown.end(), std::pair<Track, Interval>{kSamplesTrack, {2, 2}}),
          shown.end());
    } else {
      EXPECT_EQ(stored(log).head(), 1u);
      EXPECT_EQ(stored(own()).head(), 1u);
    }
  }
}

TEST_F(RescueTest, FormerEpochsThatGatewaysHaveAreSealedOnce) {
  start(agent_options());
  serve();
  link();
  const LogId former{replica_->self(), Epoch{99}, kSamplesTrack};
  const Vector::Item known{former, 12, sha256(as_bytes("twelve")), set_of(3, 3)};
  // Nobody answers for what is not signed, and what grows is not at its end yet.
  say({known, item(own(kControlTrack), 1)});
  pass(70s);
  serve();
  EXPECT_TRUE(seals(former.epoch).empty());
  sign({{former, 11, sha256(as_bytes("eleven")), set_of(3, 3)}, item(own(kControlTrack), 1)});
  pass(40s);
  sign({known, item(own(kControlTrack), 1)});
  pass(40s);
  serve();
  EXPECT_TRUE(seals(former.epoch).empty());
  for (int n = 0; n < 3; ++n) {
    sign({known, item(own(kControlTrack), 1)});
    pass(20s);
    serve();
  }
  EXPECT_EQ(seals(former.epoch), (std::map<Track, Seq>{{kSamplesTrack, 12}}));
  ASSERT_TRUE(stored(former).sealed());
  EXPECT_EQ(stored(own(kControlTrack)).head(), 2u);
  start(agent_options());
  serve();
  link();
  sign({known, item(own(kControlTrack), 2)});
  serve();
  EXPECT_EQ(stored(own(kControlTrack)).head(), 2u);
  // Another gateway has more of it.
  sign({{former, 14, sha256(as_bytes("fourteen")), {}}, item(own(kControlTrack), 2)});
  pass(60s);
  serve();
  EXPECT_EQ(seals(former.epoch), (std::map<Track, Seq>{{kSamplesTrack, 14}}));
}

// A gateway that makes up epochs fills neither track 0 nor the room that others have for our logs.
TEST_F(RescueTest, EpochsThatThereNeverWereAreSealedWithinABound) {
  start(agent_options());
  serve();
  link();
  for (std::uint64_t round = 0; round < 20; ++round) {
    std::vector<Vector::Item> items;
    for (std::uint64_t n = 0; n < 50; ++n)
      items.push_back({{replica_->self(), Epoch{1000 + round * 50 + n}, kSamplesTrack}, 1, {}, {}});
    sign(items);
    pass(70s);
    serve();
    start(agent_options());  // it begins anew, and so may what it remembers
    serve();
    link();
  }
  std::size_t sealed = 0;
  for (const Op& op : stored_ops(replica_->epoch())) sealed += std::holds_alternative<Seal>(op);
  EXPECT_GT(sealed, 0u);
  EXPECT_LE(sealed, 192u);
}

// What it was not asked for, of an epoch that is present and a track that never was.
TEST_F(RescueTest, ATrackThatIsNotHereHarmsNobody) {
  live_first_life(3);
  link();
  const LogId unknown{replica_->self(), replica_->epoch(), Track{7}};
  say({item(own(kControlTrack), 2), item(own(), 3), {unknown, 5, sha256(as_bytes("five")), {}}});
  answer_fetches();
  serve();
  pass(5s);
  serve();
  store_entry();
  EXPECT_FALSE(sent<Segments>().empty());
}

// One false word, whatever it is about, keeps nothing of ours from who asks when it is settled.
TEST_F(RescueTest, WhatIsHeldBackForALieIsServedAfterwards) {
  live_first_life(3);
  link();
  say({item(own(kControlTrack), 2), item(own(), 3)});
  serve();
  Vector::Item false_control = item(own(kControlTrack), 2), false_data = item(own(), 3);
  false_control.hash = false_data.hash = sha256(as_bytes("a lie"));
  for (const bool whole : {false, true}) {
    hear(TopicClass::inbox, gateway_.node(),
         gateway_.wrap(Vector{{false_control, false_data}, whole}));
    for (int n = 0; n < 10; ++n) pass(5s), serve();  // it cannot show what it said
    (void)take<Send>();
    hear(TopicClass::inbox, gateway_.node(),
         gateway_.wrap(
             Fetch{9, 1 << 20, {{own(), set_of(1, 3)}, {own(kControlTrack), set_of(1, 2)}}}));
    serve();
    const auto served = carried(sent<Segments>());
    EXPECT_EQ(std::set(served.begin(), served.end()).size(), 5u) << whole;
  }
}

// Once sealed, what another gateway has under the same number changes nothing, and is not asked for
// again and again.
TEST_F(RescueTest, ASealedLogIsNotLookedIntoForEver) {
  live_first_life(3);
  store_entry();
  store_entry();
  go_back(2, 5);
  store_entry();
  store_entry();
  const LogId log = own();
  const std::vector<Vector::Item> other{there_[0], item(log, 5)};  // this branch, elsewhere
  link();
  say(there_);
  be_the_gateway();
  pass(60s);
  serve();
  ASSERT_EQ(seals(log.epoch)[kSamplesTrack], 5u);
  outputs_.clear();
  const std::uint64_t branches = replica_->stats().branches;
  there_ = other;
  for (int n = 0; n < 3; ++n) {
    say(other);
    be_the_gateway();
  }
  EXPECT_LE(replica_->stats().branches, branches + 1);
}

TEST_F(RescueTest, ASegmentThatDoesNotDecodeIsNotReadForEver) {
  live_first_life(5);
  link();
  say({item(own(kControlTrack), 2), item(own(), 3)});
  int reads = 0;
  for (std::vector<Read> all; reads < 100 && !(all = take<Read>()).empty();) {
    for (const Read& read : all) {
      reads += 1;
      auto found = store_->read(read.log, read.interval, read.bytes_max).value();
      for (StoredSegment& segment : found) segment.bytes[0] ^= 0xff;
      (void)step(ReadFinished{read.token, std::move(found)});
    }
  }
  EXPECT_LT(reads, 5);
  EXPECT_FALSE(take<Notice>().empty());
}

TEST_F(RescueTest, AnAckOfWhatFollowsASealIsNoAckOfOurs) {
  live_first_life(3);
  StreamSchema another = kNoise;
  another.name = "another";
  Append extra{another, Rows(2), false, next_ticket()};
  extra.rows.begin_row(now_.utc);
  extra.rows.add_integer(1), extra.rows.add_text("x");
  ASSERT_TRUE(step(std::move(extra)).ok());
  ASSERT_TRUE(step(Flush{}).ok());
  serve();
  go_back(3, 3);  // track 0 has one entry more there
  const LogId log = own();
  link();
  say(there_);
  be_the_gateway();
  ASSERT_NE(replica_->epoch(), log.epoch);
  say(there_);
  // It let go of all of it: nothing is acked by that.
  sign({{log, 3, item(log, 3).hash, set_of(1, 3)}});
  pass(70s);
  serve();
  ASSERT_EQ(seals(log.epoch)[kSamplesTrack], 3u);
  const Vector::Item foreign{log, 4, sha256(as_bytes("of another machine")), {}};
  hear(TopicClass::inbox, gateway_.node(), gateway_.ack(replica_->self(), nonce_, {foreign}));
  serve();
  ASSERT_TRUE(step(Retire{store_->oldest(log, 1 << 20).value()}).ok());
  pass(5ms);
  serve();
  EXPECT_EQ(stored(log).held().count(), 3u);
}

}  // namespace
}  // namespace dunlin::replication
