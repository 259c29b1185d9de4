#include "common/storage/log_store.h"

#include <gtest/gtest.h>

#include <fstream>

#include "common/base/random.h"
#include "common/codec/segment_codec.h"
#include "common/log/chain.h"
#include "common/security/keys.h"
#include "common/storage/query.h"
#include "tests/support/temp_dir.h"

namespace dunlin::storage {
namespace {

constexpr std::int64_t kStart = 1'767'225'600'000'000;

// One node's log of one reading per entry, a second apart, as segments of any cut.
class LogStoreTest : public testing::Test {
 protected:
  LogStoreTest()
      : key_(security::NodeKey::generate().value()), verifier_(security::make_mbedtls_verifier()) {}

  LogStore open(std::optional<LogStore::Salvage>* salvage = nullptr) {
    return open_at(path(), salvage);
  }
  LogStore open_at(const std::string& path, std::optional<LogStore::Salvage>* salvage = nullptr) {
    auto store =
        LogStore::open({.path = path, .fresh_epoch = Epoch{77}}, own_->node(), *verifier_, salvage);
    EXPECT_TRUE(store.ok()) << store.error().message();
    return std::move(store).value();
  }
  std::string path() const { return folder_.file("log.db"); }

  LogId log(Track track = kSamplesTrack) const { return {key_->node(), Epoch{5}, track}; }

  // Entries 1..n of the data track; `branch` changes what they hold from entry `from` on.
  Chain chain(Seq n, std::int64_t branch = 0, Seq from = 1, std::size_t text_size = 0) const {
    Random random(n);
    Chain out;
    Hash hash = chain_start(log());
    for (Seq seq = 1; seq <= n; ++seq) {
      const auto second = static_cast<std::int64_t>(seq);
      Samples samples{
          .stream = 1, .boot = {}, .base = kStart + second * 1'000'000, .rows = Rows(2)};
      samples.rows.begin_row(samples.base);
      std::string text;
      while (text.size() < text_size) text.push_back(static_cast<char>('!' + random.below(90)));
      samples.rows.add_text(text);
      samples.rows.add_integer(seq >= from ? second + branch : second);
      hash = out.add({seq, Hlc::of(1000 + seq, 0), {samples}}, hash).value().after;
    }
    return out;
  }
  SegmentRecord segment(const Chain& entries, Seq first, Seq last) const {
    const Hash before = first == 1 ? chain_start(log()) : entries.links[first - 2].after;
    const ChainView part = ChainView(entries).from(first - 1).first(last - first + 1);
    return build_segments(log(), before, 0, part, *key_).value().front();
  }
  SegmentRecord open_segment() const {
    const LogId control = log(kControlTrack);
    Chain entries;
    EXPECT_TRUE(
        entries
            .add({1, Hlc::of(1, 0), {Open{key_->public_key(), "greenhouse"}}}, chain_start(control))
            .ok());
    return build_segments(control, chain_start(control), 0, entries, *key_).value().front();
  }
  // Track 0 with the stream of chain(), and what else is said.
  SegmentRecord control_segment(std::vector<Op> more = {}) const {
    const LogId control = log(kControlTrack);
    Chain entries;
    more.insert(
        more.begin(),
        {Open{key_->public_key(), "node"},
         Define{
             1,
             1,
             {"pond", {{"text", FieldType::text, "", 0}, {"number", FieldType::int64, "", 0}}}}});
    EXPECT_TRUE(entries.add({1, Hlc::of(1, 0), std::move(more)}, chain_start(control)).ok());
    return build_segments(control, chain_start(control), 0, entries, *key_).value().front();
  }
  // Two branches that part at `from`: the one that wins, and the other one.
  std::pair<Chain, Chain> branches(Seq n, Seq from) const {
    std::pair<Chain, Chain> both{chain(n), chain(n, 1000, from)};
    if (both.second.links[from - 1].after < both.first.links[from - 1].after)
      std::swap(both.first, both.second);
    return both;
  }
  WriteOutcome commit_one(LogStore& store, const SegmentRecord& record) const {
    const auto outcomes = store.commit({.segments = {record}});
    EXPECT_TRUE(outcomes.ok()) << outcomes.error().message();
    return outcomes.ok() ? outcomes->front() : WriteOutcome{};
  }
  static std::vector<std::vector<Value>> ask(const LogStore& store, const std::string& sql) {
    const auto table = Reader::open(store.options().path)->query(sql);
    EXPECT_TRUE(table.ok()) << table.error().message();
    return table.ok() ? table->rows : std::vector<std::vector<Value>>{};
  }
  static LogState state_of(LogStore& store, const LogId& id) {
    const LogStore::Contents contents = store.load().value();
    for (const LogState& state : contents.logs) {
      if (state.id() == id) return state;
    }
    return LogState(id);
  }

  test::TempDir folder_;
  std::unique_ptr<security::NodeKey> own_ = security::NodeKey::generate().value();
  std::unique_ptr<security::NodeKey> key_;
  std::unique_ptr<Verifier> verifier_;
};

TEST_F(LogStoreTest, WhatWasCommittedIsThereAfterReopening) {
  const auto entries = chain(20);
  {
    LogStore store = open();
    const std::vector<SegmentRecord> batch{open_segment(), segment(entries, 11, 20),
                                           segment(entries, 1, 5)};
    const auto outcomes = store.commit({.segments = batch});
    ASSERT_TRUE(outcomes.ok());
    for (const WriteOutcome& outcome : *outcomes)
      EXPECT_EQ(outcome.kind, WriteOutcome::Kind::stored);
  }
  LogStore store = open();
  const LogStore::Contents contents = store.load().value();
  EXPECT_EQ(contents.epoch, Epoch{77});
  ASSERT_EQ(contents.nodes.size(), 1U);
  EXPECT_EQ(contents.nodes[0].name, "greenhouse");
  EXPECT_EQ(contents.nodes[0].public_key, key_->public_key());
  const LogState state = state_of(store, log());
  EXPECT_EQ(state.head(), 20U);
  EXPECT_EQ(state.head_hash(), entries.links.back().after);
  EXPECT_EQ(state.missing().intervals(), (std::vector<Interval>{{6, 10}}));
}

TEST_F(LogStoreTest, AnEpochBelongsToTheFile) {
  open();
  auto again =
      LogStore::open({.path = path(), .fresh_epoch = Epoch{78}}, own_->node(), *verifier_, nullptr);
  EXPECT_EQ(again->load()->epoch, Epoch{77});
}

TEST_F(LogStoreTest, DuplicatesAndOverlapsAreReadOnce) {
  LogStore store = open();
  const auto entries = chain(10);
  ASSERT_TRUE(store.commit({.segments = {segment(entries, 1, 6)}}).ok());
  EXPECT_EQ((*store.commit({.segments = {segment(entries, 1, 6)}}))[0].kind,
            WriteOutcome::Kind::duplicate);
  EXPECT_EQ((*store.commit({.segments = {segment(entries, 2, 3)}}))[0].kind,
            WriteOutcome::Kind::duplicate);
  EXPECT_EQ((*store.commit({.segments = {segment(entries, 4, 10)}}))[0].kind,
            WriteOutcome::Kind::stored);
  EXPECT_EQ(state_of(store, log()).complete(), 10U);
  EXPECT_EQ(store.fork_count().value(), 0U);
}

TEST_F(LogStoreTest, TwoHashesForOneSequenceNumberAreAForkWithEvidence) {
  LogStore store = open();
  const auto [kept, other] = branches(10, 4);
  ASSERT_TRUE(store.commit({.segments = {segment(kept, 1, 8)}}).ok());
  const auto overlapping = store.commit({.segments = {segment(other, 3, 9)}});
  EXPECT_EQ((*overlapping)[0].kind, WriteOutcome::Kind::fork);
  EXPECT_EQ((*overlapping)[0].fork_seq, 4U);
  const auto joining = store.commit({.segments = {segment(other, 9, 10)}});
  EXPECT_EQ((*joining)[0].kind, WriteOutcome::Kind::fork);
  EXPECT_EQ((*joining)[0].fork_seq, 8U);
  EXPECT_EQ(store.fork_count().value(), 2U);
  EXPECT_EQ(state_of(store, log()).head(), 8U);
  EXPECT_EQ(state_of(store, log()).head_hash(), kept.links[7].after);
}

// A member may send any number of segments that overlap. Hashes are chained, so each is held
// against one stored segment at most: here most of them could not even be read.
TEST_F(LogStoreTest, AnOverlapIsComparedWhereItEndsAlone) {
  LogStore store = open();
  const auto entries = chain(30);
  ASSERT_TRUE(store.commit({.segments = {segment(entries, 1, 10), segment(entries, 5, 15)}}).ok());
  {
    Connection other = Connection::open(path(), SQLITE_OPEN_READWRITE).value();
    ASSERT_TRUE(other.execute("UPDATE segments SET body = x'00'").ok());
  }
  EXPECT_EQ(commit_one(store, segment(entries, 8, 20)).kind, WriteOutcome::Kind::stored);
  EXPECT_EQ(commit_one(store, segment(entries, 9, 21)).kind, WriteOutcome::Kind::stored);
  EXPECT_EQ(commit_one(store, segment(entries, 3, 18)).kind, WriteOutcome::Kind::duplicate);
  EXPECT_EQ(state_of(store, log()).head_hash(), entries.links[20].after);
}

// Runs that no segment joined yet may be of two branches.
TEST_F(LogStoreTest, EveryRunOfAnOverlapIsCompared) {
  const auto [kept, other] = branches(12, 3);
  LogStore store = open();
  ASSERT_TRUE(store
                  .commit({.segments = {segment(kept, 1, 2), segment(kept, 2, 4),
                                        segment(kept, 1, 3), segment(other, 7, 9)}})
                  .ok());
  const WriteOutcome outcome = commit_one(store, segment(other, 2, 9));
  EXPECT_EQ(outcome.kind, WriteOutcome::Kind::fork);
  EXPECT_EQ(outcome.fork_seq, 3U);
}

// Whichever came first, the same branch is there in the end, and nothing of the other is gone.
TEST_F(LogStoreTest, OfTwoBranchesTheSmallerHashWinsInEitherOrder) {
  const auto [winner, loser] = branches(15, 8);
  LogStore late = open_at(folder_.file("late.db")), early = open_at(folder_.file("early.db"));
  for (LogStore* store : {&late, &early}) {
    ASSERT_TRUE(
        store
            ->commit({.segments = {control_segment(), segment(winner, 1, 5), segment(loser, 6, 7)}})
            .ok());
  }
  const std::vector<SegmentRecord> losing{segment(loser, 8, 10), segment(loser, 11, 15)};
  ASSERT_TRUE(late.commit({.segments = losing}).ok());
  const WriteOutcome swap = commit_one(late, segment(winner, 6, 10));
  EXPECT_EQ(swap.kind, WriteOutcome::Kind::won);
  EXPECT_EQ(swap.fork_seq, 8U);
  EXPECT_EQ(state_of(late, log()).head(), 10U);
  EXPECT_EQ(late.log_bytes(log()),
            segment(winner, 1, 5).bytes->size() + segment(winner, 6, 10).bytes->size());
  EXPECT_EQ(commit_one(late, segment(winner, 6, 10)).kind, WriteOutcome::Kind::duplicate);
  EXPECT_EQ(commit_one(late, segment(winner, 11, 12)).kind, WriteOutcome::Kind::stored);

  EXPECT_EQ(commit_one(early, segment(winner, 6, 10)).kind, WriteOutcome::Kind::stored);
  EXPECT_EQ(commit_one(early, segment(winner, 11, 12)).kind, WriteOutcome::Kind::stored);
  for (const SegmentRecord& record : losing)
    EXPECT_EQ(commit_one(early, record).kind, WriteOutcome::Kind::fork);

  EXPECT_EQ(state_of(late, log()), state_of(early, log()));
  const std::string samples = "SELECT seq, field, value FROM samples ORDER BY seq, field";
  EXPECT_EQ(ask(late, samples).size(), 24U);
  EXPECT_EQ(ask(late, samples), ask(early, samples));
  const auto kept = ask(late, "SELECT seq, body FROM forks ORDER BY seq");
  ASSERT_EQ(kept.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(kept[i][0], Value(static_cast<std::int64_t>(losing[i].info.first)));
    EXPECT_EQ(kept[i][1], Value(*losing[i].bytes));
  }
}

// A member could fill the disk with branches of its own log. That there was one stays known.
TEST_F(LogStoreTest, EvidenceOfForksIsBounded) {
  const auto [winner, loser] = branches(15, 8);
  LogStore store = open();
  ASSERT_TRUE(store
                  .commit({.segments = {control_segment(), segment(winner, 1, 7),
                                        segment(loser, 8, 10), segment(loser, 11, 15)}})
                  .ok());
  {
    Connection other = Connection::open(path(), SQLITE_OPEN_READWRITE).value();
    ASSERT_TRUE(other
                    .execute("INSERT INTO forks(log, seq, hash, body)"
                             " SELECT id, 1, x'00', zeroblob(64 << 20) FROM logs WHERE track = 0")
                    .ok());
  }
  EXPECT_EQ(commit_one(store, segment(winner, 8, 10)).kind, WriteOutcome::Kind::won);
  const auto kept = ask(store, "SELECT seq FROM forks WHERE seq > 1");
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0][0], Value(std::int64_t{8}));
  const WriteOutcome fork = commit_one(store, segment(loser, 8, 9));
  EXPECT_EQ(fork.kind, WriteOutcome::Kind::fork);
  EXPECT_TRUE(fork.known);
  EXPECT_EQ(store.fork_count().value(), 2U);
  EXPECT_EQ(store.load()->forked.size(), 2U);
  EXPECT_EQ(state_of(store, log()).head(), 10U);
}

TEST_F(LogStoreTest, OfThreeBranchesOneWinsInAnyOrder) {
  std::vector<Chain> all{chain(6), chain(6, 1000, 4), chain(6, 2000, 3)};
  const auto smaller = [](const Chain& a, const Chain& b) {
    return std::lexicographical_compare(
        a.links.begin(), a.links.end(), b.links.begin(), b.links.end(),
        [](const ChainLink& x, const ChainLink& y) { return x.after < y.after; });
  };
  const Chain& winner = *std::min_element(all.begin(), all.end(), smaller);
  std::vector<std::size_t> order{0, 1, 2};
  do {
    LogStore store =
        open_at(folder_.file(std::to_string(order[0] * 100 + order[1] * 10 + order[2])));
    ASSERT_TRUE(store.commit({.segments = {segment(all[0], 1, 2)}}).ok());
    for (const std::size_t branch : order) (void)commit_one(store, segment(all[branch], 3, 6));
    EXPECT_EQ(state_of(store, log()).head_hash(), winner.links.back().after);
    EXPECT_EQ(store.fork_count().value(), 2U);
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_F(LogStoreTest, ASealOverrulesTheHash) {
  const auto [winner, loser] = branches(10, 4);
  const SegmentRecord control =
      control_segment({Seal{log().epoch, kSamplesTrack, 9, loser.links[8].after}});
  LogStore late = open_at(folder_.file("late.db")), early = open_at(folder_.file("early.db"));
  ASSERT_TRUE(early.commit({.segments = {control, segment(loser, 1, 10)}}).ok());
  EXPECT_EQ(commit_one(early, segment(winner, 1, 10)).kind, WriteOutcome::Kind::fork);
  ASSERT_TRUE(late.commit({.segments = {control, segment(winner, 1, 10)}}).ok());
  EXPECT_EQ(commit_one(late, segment(loser, 1, 10)).kind, WriteOutcome::Kind::won);
  EXPECT_EQ(state_of(late, log()), state_of(early, log()));
  // It says nothing about branches that part behind it.
  const auto [first, second] = branches(12, 10);
  LogStore behind = open_at(folder_.file("behind.db"));
  const SegmentRecord seal =
      control_segment({Seal{log().epoch, kSamplesTrack, 9, first.links[8].after}});
  ASSERT_TRUE(behind.commit({.segments = {seal, segment(second, 1, 12)}}).ok());
  EXPECT_EQ(commit_one(behind, segment(first, 1, 12)).kind, WriteOutcome::Kind::won);
}

// What stored segments hold of both branches stays, in front of the winner.
TEST_F(LogStoreTest, ABranchWinsInsideStoredSegments) {
  const std::pair<Chain, Chain> both = branches(10, 8);
  const Chain &winner = both.first, &loser = both.second;
  LogStore whole = open_at(folder_.file("whole.db"));
  ASSERT_TRUE(whole.commit({.segments = {segment(winner, 1, 10)}}).ok());
  const auto expect_winner = [&](LogStore& store) {
    EXPECT_EQ(commit_one(store, segment(winner, 6, 10)).kind, WriteOutcome::Kind::won);
    EXPECT_EQ(state_of(store, log()), state_of(whole, log()));
    const auto stored = store.read(log(), {1, 10}, 1 << 20).value();
    ASSERT_EQ(stored.size(), 1U);
    const SegmentHeader header = parse_segment(stored[0].bytes).value();
    EXPECT_EQ(decode_entries(header).value(), winner.entries);
    EXPECT_TRUE(verifier_
                    ->verify(key_->public_key(), head_statement(log(), 10, winner.links[9].after),
                             header.signature)
                    .ok());
    EXPECT_EQ(store.log_bytes(log()), stored[0].bytes.size());
  };
  LogStore spanned = open_at(folder_.file("spanned.db"));
  ASSERT_TRUE(spanned.commit({.segments = {segment(loser, 1, 10)}}).ok());
  expect_winner(spanned);
  LogStore overlapping = open_at(folder_.file("overlapping.db"));
  ASSERT_TRUE(overlapping.commit({.segments = {segment(loser, 1, 7), segment(loser, 6, 10)}}).ok());
  expect_winner(overlapping);
}

TEST_F(LogStoreTest, ABranchThatDoesNotJoinDoesNotWin) {
  const auto [winner, loser] = branches(10, 8);
  LogStore before = open_at(folder_.file("before.db"));
  ASSERT_TRUE(before.commit({.segments = {segment(loser, 1, 10)}}).ok());
  EXPECT_EQ(commit_one(before, segment(winner, 9, 10)).kind, WriteOutcome::Kind::fork);
  // Where nothing is stored before it, nothing stands against it.
  LogStore apart = open_at(folder_.file("apart.db"));
  ASSERT_TRUE(apart.commit({.segments = {segment(loser, 8, 10)}}).ok());
  EXPECT_EQ(commit_one(apart, segment(winner, 6, 10)).kind, WriteOutcome::Kind::won);
  EXPECT_EQ(state_of(apart, log()).held().intervals(), (std::vector<Interval>{{6, 10}}));
}

// Also where the parting itself came last.
TEST_F(LogStoreTest, EveryNodeKeepsTheSameBranch) {
  for (const bool winner_fills : {false, true}) {
    const auto [winner, loser] = branches(12, 8);
    const Chain& filler = winner_fills ? winner : loser;
    const Chain& other = winner_fills ? loser : winner;
    LogStore gap = open_at(folder_.file("gap" + std::to_string(winner_fills)));
    LogStore whole = open_at(folder_.file("whole" + std::to_string(winner_fills)));
    (void)commit_one(gap, segment(other, 1, 5));
    (void)commit_one(gap, segment(other, 9, 10));  // 6 to 8 were lost on the way
    (void)commit_one(whole, segment(other, 1, 10));
    for (LogStore* store : {&gap, &whole}) (void)commit_one(*store, segment(filler, 6, 12));
    (void)commit_one(gap, segment(other, 6, 8));  // fetched
    (void)commit_one(gap, segment(other, 9, 10));
    (void)commit_one(gap, segment(filler, 6, 12));
    EXPECT_EQ(state_of(gap, log()).head_hash(), state_of(whole, log()).head_hash());
    EXPECT_EQ(state_of(gap, log()).missing_count(), 0u);
  }
}

TEST_F(LogStoreTest, AnOwnLogStaysWithItsFirstBranch) {
  LogStore store =
      LogStore::open({.path = path(), .fresh_epoch = Epoch{5}}, key_->node(), *verifier_, nullptr)
          .value();
  const auto [winner, loser] = branches(5, 2);
  ASSERT_TRUE(store.commit({.segments = {segment(loser, 1, 5)}}).ok());
  EXPECT_EQ(commit_one(store, segment(winner, 1, 5)).kind, WriteOutcome::Kind::fork);
}

TEST_F(LogStoreTest, DefinitionsOfALosingBranchGoWithIt) {
  std::vector<SegmentRecord> both{control_segment(),
                                  control_segment({TimeAnchor{1, "x", 0, 1, 1}})};
  if (both[1].info.after < both[0].info.after) std::swap(both[0], both[1]);
  LogStore late = open_at(folder_.file("late.db")), early = open_at(folder_.file("early.db"));
  (void)commit_one(late, both[1]);
  EXPECT_EQ(commit_one(late, both[0]).kind, WriteOutcome::Kind::won);
  (void)commit_one(early, both[0]);
  EXPECT_EQ(commit_one(early, both[1]).kind, WriteOutcome::Kind::fork);
  for (const char* sql : {"SELECT * FROM streams", "SELECT * FROM anchors", "SELECT * FROM nodes"})
    EXPECT_EQ(ask(late, sql), ask(early, sql)) << sql;
}

// What it overlaps is the same; what it would touch is not.
TEST_F(LogStoreTest, AnOverlapThatDoesNotJoinItsNeighbourIsAFork) {
  LogStore store = open();
  const auto kept = chain(10);
  const auto other = chain(10, 1000, 6);
  ASSERT_TRUE(store.commit({.segments = {segment(kept, 1, 5), segment(kept, 8, 10)}}).ok());
  const WriteOutcome outcome = commit_one(store, segment(other, 4, 7));
  EXPECT_EQ(outcome.kind, WriteOutcome::Kind::fork);
  EXPECT_EQ(outcome.fork_seq, 7U);
  EXPECT_EQ(commit_one(store, segment(kept, 4, 7)).kind, WriteOutcome::Kind::stored);
}

TEST_F(LogStoreTest, AFailedCommitChangesNothing) {
  LogStore store = open();
  const auto entries = chain(10);
  SegmentRecord broken = segment(entries, 4, 8);
  broken.bytes =
      std::make_shared<const Bytes>(Bytes{1, 2, 3});  // unreadable where it must be compared
  ASSERT_TRUE(store.commit({.segments = {segment(entries, 1, 5)}}).ok());
  EXPECT_FALSE(store.commit({.segments = {segment(entries, 9, 10), broken}}).ok());
  EXPECT_EQ(state_of(store, log()).head(), 5U);
  EXPECT_EQ(store.read(log(), {1, 10}, 1 << 20)->size(), 1U);
}

TEST_F(LogStoreTest, ReadsWholeSegmentsNewestFirstWithinTheCredit) {
  LogStore store = open();
  const auto entries = chain(40);
  for (Seq first = 1; first <= 31; first += 10) {
    ASSERT_TRUE(store.commit({.segments = {segment(entries, first, first + 9)}}).ok());
  }
  const auto all = store.read(log(), {5, 35}, 1 << 20).value();
  ASSERT_EQ(all.size(), 4U);
  EXPECT_EQ(all.front().interval, (Interval{31, 40}));
  EXPECT_EQ(all.back().interval, (Interval{1, 10}));
  EXPECT_EQ(store.read(log(), {5, 35}, 0)->size(), 1U);
  EXPECT_EQ(store.read(log(), {5, 35}, all[0].bytes.size() + all[1].bytes.size())->size(), 2U);
  EXPECT_TRUE(store.read(log(), {41, 50}, 1 << 20)->empty());
  EXPECT_TRUE(store.read({own_->node(), Epoch{1}, kSamplesTrack}, {1, 9}, 1 << 20)->empty());
}

TEST_F(LogStoreTest, ReleasesTheOldestAndKeepsTheChainWhole) {
  LogStore store = open();
  const auto entries = chain(30);
  for (Seq first = 1; first <= 21; first += 10) {
    ASSERT_TRUE(store.commit({.segments = {segment(entries, first, first + 9)}}).ok());
  }
  const std::uint64_t bytes = store.log_bytes(log());
  const auto old = store.oldest(log(), 1).value();
  ASSERT_EQ(old.size(), 1U);
  EXPECT_EQ(old[0].release.interval, (Interval{1, 10}));
  EXPECT_EQ(old[0].release.before, chain_start(log()));
  EXPECT_EQ(old[0].release.after, entries.links[9].after);
  EXPECT_EQ(old[0].readings, 10U);
  ASSERT_TRUE(store.commit({.releases = {old[0].release}}).ok());
  EXPECT_EQ(store.log_bytes(log()), bytes - old[0].bytes);
  const LogState state = state_of(store, log());
  EXPECT_TRUE(state.missing().empty());
  EXPECT_EQ(state.released().intervals(), (std::vector<Interval>{{1, 10}}));
  EXPECT_EQ(state.runs().front().before, entries.links[9].after);
  // What was released does not come back.
  EXPECT_EQ((*store.commit({.segments = {segment(entries, 1, 10)}}))[0].kind,
            WriteOutcome::Kind::duplicate);

  EXPECT_EQ(store.older_than(log(), kStart + 21 * 1'000'000)->size(), 1U);
  EXPECT_EQ(store.older_than(log(), kStart + 10'000'000)->size(), 0U);
  EXPECT_EQ(store.first_arrived(1)->front().release.interval, (Interval{11, 20}));
}

TEST_F(LogStoreTest, NamesWhatArrivedAfterNewerOnesWereReleased) {
  LogStore store = open();
  const auto entries = chain(50);
  for (const Seq first : {31U, 41U}) (void)commit_one(store, segment(entries, first, first + 9));
  EXPECT_TRUE(store.overtaken().value().empty());
  const auto released = store.oldest(log(), 1).value();
  ASSERT_TRUE(store.commit({.releases = {released.front().release}}).ok());
  EXPECT_TRUE(store.overtaken().value().empty());
  for (const Seq first : {21U, 1U}) (void)commit_one(store, segment(entries, first, first + 9));
  std::vector<Interval> late;
  const auto overtaken = store.overtaken().value();
  for (const OldSegment& old : overtaken) late.push_back(old.release.interval);
  EXPECT_EQ(late, (std::vector<Interval>{{1, 10}, {21, 30}}));
}

// Readings of a clock that was not set, or ahead, do not keep what follows them.
TEST_F(LogStoreTest, WhatHasNoTimeIsAsOldAsWhatFollows) {
  LogStore store = open();
  constexpr std::int64_t kHour = 3'600'000'000;
  Chain entries;
  Hash hash = chain_start(log());
  const auto add = [&](std::optional<std::uint64_t> boot, std::int64_t time) {
    Samples samples{.stream = 1, .boot = boot, .base = time, .rows = Rows(1)};
    samples.rows.begin_row(time);
    samples.rows.add_integer(1);
    const Seq seq = entries.entries.size() + 1;
    hash = entries.add({seq, Hlc::of(seq, 0), {samples}}, hash).value().after;
  };
  add(1, 5);                       // since boot
  add({}, kStart + 1000 * kHour);  // a clock that was ahead
  add({}, kStart);                 // old
  add(2, 5);                       // since boot
  add({}, kStart + 3 * kHour);     // young
  add(3, 5);                       // since boot: nothing behind it is old
  std::vector<SegmentRecord> segments;
  for (Seq seq = 1; seq <= 6; ++seq) segments.push_back(segment(entries, seq, seq));
  ASSERT_TRUE(store.commit({.segments = segments}).ok());
  const auto old = store.older_than(log(), kStart + kHour);
  ASSERT_TRUE(old.ok());
  std::vector<Seq> gone;
  for (const OldSegment& each : *old) {
    gone.push_back(each.release.interval.first);
    EXPECT_EQ(each.release.after, entries.links[gone.back() - 1].after);
  }
  EXPECT_EQ(gone, (std::vector<Seq>{1, 3}));
  EXPECT_EQ(store.older_than(log(), kStart + 4 * kHour)->size(), 4U);
}

TEST_F(LogStoreTest, PagesThatAreFreeAreSpare) {
  LogStore store = open();
  const auto entries = chain(400, 0, 1, 200);
  ASSERT_TRUE(
      store.commit({.segments = {segment(entries, 1, 200), segment(entries, 201, 400)}}).ok());
  const std::uint64_t used = store.used_bytes().value();
  const std::uint64_t spare = store.spare_bytes().value();
  const auto old = store.oldest(log(), 1).value();
  ASSERT_TRUE(store.commit({.releases = {old[0].release}}).ok());
  EXPECT_GE(store.spare_bytes().value(), spare + old[0].bytes - 4096);
  EXPECT_EQ(store.used_bytes().value() + store.spare_bytes().value(), used + spare);
}

TEST_F(LogStoreTest, AcksAreRemembered) {
  {
    LogStore store = open();
    ASSERT_TRUE(store.commit({.segments = {segment(chain(10), 1, 10)}}).ok());
    IntervalSet acked;
    acked.insert({1, 7});
    ASSERT_TRUE(store.commit({.acks = {Acked{log(), acked}}}).ok());
  }
  LogStore store = open();
  EXPECT_TRUE(state_of(store, log()).acked().contains(Interval{1, 7}));
  EXPECT_FALSE(state_of(store, log()).acked().contains(Seq{8}));
}

TEST_F(LogStoreTest, WhatIsRolledBackIsGoneAndComesAnew) {
  const auto before = chain(20);
  const auto after = chain(20, 1000, 11);
  {
    LogStore store = open();
    for (Seq first = 1; first <= 11; first += 10)
      ASSERT_TRUE(store.commit({.segments = {segment(before, first, first + 9)}}).ok());
    const std::uint64_t bytes = store.log_bytes(log());
    const Changes inside{.rollbacks = {{log(), 12, before.links[11].after}}};
    EXPECT_EQ(store.commit(inside).error().code, Errc::invalid_argument);
    EXPECT_EQ(store.log_bytes(log()), bytes);
    ASSERT_TRUE(store.commit({.rollbacks = {{log(), 10, before.links[9].after}}}).ok());
    EXPECT_EQ(store.log_bytes(log()), segment(before, 1, 10).bytes->size());
    EXPECT_EQ(store.read(log(), {1, 20}, 1 << 20)->size(), 1U);
    EXPECT_EQ(store.fork_count().value(), 0U);
    // Rollbacks come first.
    EXPECT_EQ((*store.commit({.segments = {segment(after, 11, 20)},
                              .rollbacks = {{log(), 10, before.links[9].after}}}))[0]
                  .kind,
              WriteOutcome::Kind::stored);
  }
  LogStore store = open();
  EXPECT_EQ(state_of(store, log()).head_hash(), after.links.back().after);
  EXPECT_EQ(state_of(store, log()).missing_count(), 0U);
}

// A commit that fails leaves the epoch, too.
TEST_F(LogStoreTest, AnEpochBeginsWithACommit) {
  const LogId next{own_->node(), Epoch{78}, kControlTrack};
  const auto make = [&](const LogId& id, std::string_view name) {
    Chain entries;
    const Define define{1, 1, {std::string(name), {{"f", FieldType::int64, "", 0}}}};
    EXPECT_TRUE(entries.add({1, Hlc::of(id.epoch.value, 0), {define}}, chain_start(id)).ok());
    return build_segments(id, chain_start(id), 0, entries, *own_).value().front();
  };
  {
    LogStore store = open();
    ASSERT_TRUE(
        store.commit({.segments = {make({own_->node(), Epoch{77}, kControlTrack}, "old")}}).ok());
    ASSERT_TRUE(store.commit({.segments = {segment(chain(3), 1, 3)}}).ok());
    EXPECT_FALSE(store.commit({.rollbacks = {{log(), 2, {}}}, .epoch = Epoch{79}}).ok());
    EXPECT_EQ(store.load()->epoch, Epoch{77});
    EXPECT_EQ(store.load()->own_streams.at(0).schema.name, "old");
    ASSERT_TRUE(store.commit({.segments = {make(next, "new")}, .epoch = Epoch{78}}).ok());
  }
  LogStore store = open();
  const LogStore::Contents contents = store.load().value();
  EXPECT_EQ(contents.epoch, Epoch{78});
  ASSERT_EQ(contents.own_streams.size(), 1U);
  EXPECT_EQ(contents.own_streams[0].schema.name, "new");
  EXPECT_EQ(contents.own_hlc, Hlc::of(78, 0));
}

TEST_F(LogStoreTest, TheClockOutlivesItsEpoch) {
  const LogId own{own_->node(), Epoch{77}, kSamplesTrack};
  {
    LogStore store = open();
    Chain entries;
    ASSERT_TRUE(entries.add({1, Hlc::of(1234, 5), {}}, chain_start(own)).ok());
    const auto segments = build_segments(own, chain_start(own), 0, entries, *own_).value();
    ASSERT_TRUE(store.commit({.segments = segments}).ok());
    ASSERT_TRUE(store.commit({.epoch = Epoch{78}}).ok());
  }
  LogStore store = open();
  EXPECT_EQ(store.load()->own_hlc, Hlc::of(1234, 5));
  ASSERT_TRUE(store.commit({.rollbacks = {{own, 0, chain_start(own)}}}).ok());
  EXPECT_EQ(state_of(store, own).head(), 0U);
  EXPECT_EQ(store.load()->own_hlc, Hlc::of(1234, 5));
}

// Only what the remaining control entries define is read by queries.
TEST_F(LogStoreTest, ControlThatIsRolledBackDefinesNothing) {
  const LogId control = log(kControlTrack);
  std::vector<SegmentRecord> segments{open_segment()};
  const auto add = [&](std::vector<Op> ops) {
    Chain entries;
    const Hash before = segments.back().info.after;
    const Seq seq = segments.size() + 1;
    EXPECT_TRUE(entries.add({seq, Hlc::of(seq, 0), std::move(ops)}, before).ok());
    segments.push_back(build_segments(control, before, 0, entries, *key_).value().front());
  };
  const auto define = [](std::uint64_t id) {
    return Define{id, 1, {"s" + std::to_string(id), {{"f", FieldType::int64, "", 0}}}};
  };
  add({define(1), TimeAnchor{1, "a", 0, kStart, 1}});
  add({define(2), TimeAnchor{2, "b", 0, kStart, 1}});
  add({Seal{Epoch{4}, kSamplesTrack, 9, chain_start(log())}});
  LogStore store = open();
  ASSERT_TRUE(store.commit({.segments = segments}).ok());
  const LogId former{key_->node(), Epoch{4}, kSamplesTrack};
  EXPECT_EQ(state_of(store, former).sealed(), (LogState::Sealed{9, chain_start(log())}));
  Reader reader = Reader::open(path()).value();
  EXPECT_TRUE(reader.query("SELECT * FROM stream_s2").ok());
  ASSERT_TRUE(store.commit({.rollbacks = {{control, 2, segments[1].info.after}}}).ok());
  auto db = Connection::open(path(), SQLITE_OPEN_READONLY).value();
  EXPECT_EQ(db.query_integer("SELECT group_concat(id) FROM streams").value(), 1);
  EXPECT_EQ(db.query_integer("SELECT group_concat(boot) FROM anchors").value(), 1);
  EXPECT_EQ(store.load()->nodes.size(), 1U);
  EXPECT_EQ(state_of(store, former).sealed()->last, 9U);
  // A reader notices, even where as many came as went.
  ASSERT_TRUE(store.commit({.segments = {segments[2]}}).ok());
  EXPECT_TRUE(reader.query("SELECT * FROM stream_s2").ok());
  segments.resize(2);
  add({define(3), TimeAnchor{3, "c", 0, kStart, 1}});
  ASSERT_TRUE(
      store.commit({.segments = {segments[2]}, .rollbacks = {{control, 2, segments[1].info.after}}})
          .ok());
  EXPECT_TRUE(reader.query("SELECT * FROM stream_s3").ok());
  EXPECT_FALSE(reader.query("SELECT * FROM stream_s2").ok());
}

TEST_F(LogStoreTest, BootsAreCounted) {
  LogStore store = open();
  EXPECT_EQ(store.note_boot("a").value(), 1U);
  EXPECT_EQ(store.note_boot("a").value(), 1U);
  EXPECT_EQ(store.note_boot("b").value(), 2U);
}

// Retention by age goes by corrected times, too, and what has none stays.
TEST_F(LogStoreTest, ReadingsOfABootAreAsOldAsTheirAnchorSays) {
  LogStore store = open();
  const auto make = [&](Track track, Hash before, Seq seq, std::vector<Op> ops) {
    Chain entries;
    EXPECT_TRUE(entries.add({seq, Hlc::of(seq, 0), std::move(ops)}, before).ok());
    return build_segments(log(track), before, 0, entries, *key_).value().front();
  };
  const auto old = [&] { return store.older_than(log(), kStart + 60'000'000).value().size(); };
  Samples samples{.stream = 1, .boot = 3, .base = 0, .rows = Rows(1)};
  samples.rows.begin_row(50'000'000);
  samples.rows.add_integer(1);
  const SegmentRecord first = make(kSamplesTrack, chain_start(log()), 1, {samples});
  ASSERT_TRUE(store.commit({.segments = {first}}).ok());
  EXPECT_EQ(old(), 0u);
  const SegmentRecord control =
      make(kControlTrack, chain_start(log(kControlTrack)), 1, {Open{key_->public_key(), "node"}});
  const SegmentRecord late =
      make(kControlTrack, control.info.after, 2, {TimeAnchor{3, "id", 0, kStart, 1}});
  ASSERT_TRUE(store.commit({.segments = {control, late}}).ok());
  EXPECT_EQ(old(), 1u);
  EXPECT_EQ(store.older_than(log(), kStart + 50'000'000).value().size(), 0u);
}

// The segment that told the clock may be gone when the next process asks.
TEST_F(LogStoreTest, OwnClockAndTimelessBootOutliveTheirEntries) {
  const LogId own{own_->node(), Epoch{77}, kSamplesTrack};
  const Hash start = chain_start(own);
  {
    LogStore store = open();
    Chain entries;
    Samples samples{.stream = 1, .boot = 3, .base = 0, .rows = Rows(1)};
    samples.rows.begin_row(1), samples.rows.add_integer(1);
    ASSERT_TRUE(entries.add({1, Hlc::of(1234, 5), {samples}}, start).ok());
    const auto segments = build_segments(own, start, 0, entries, *own_).value();
    ASSERT_TRUE(store.commit({.segments = segments}).ok());
  }
  LogStore store = open();
  EXPECT_EQ(store.load()->own_hlc, Hlc::of(1234, 5));
  const Release release{own, {1, 1}, start, store.state(own)->head_hash()};
  ASSERT_TRUE(store.commit({.releases = {release}}).ok());
  EXPECT_EQ(store.load()->own_hlc, Hlc::of(1234, 5));
  EXPECT_EQ(store.load()->own_timeless_boot, 3u);
}

}  // namespace
}  // namespace dunlin::storage
