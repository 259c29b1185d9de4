// The light store does what the real one does, and the real one keeps its word on any disk.
#include "tests/simulation/store/sim_store.h"

#include <gtest/gtest.h>

#include "common/codec/segment_codec.h"
#include "common/log/chain.h"
#include "common/log/limits.h"
#include "tests/simulation/keys.h"
#include "tests/simulation/seeds.h"

namespace dunlin {
namespace {

std::vector<LogId> sorted(std::vector<LogId> logs) {
  std::sort(logs.begin(), logs.end());
  return logs;
}

bool equal(const storage::LogStore::Contents& a, const storage::LogStore::Contents& b) {
  const auto nodes = [](const auto& x, const auto& y) {
    return x.node == y.node && x.public_key == y.public_key && x.name == y.name &&
           x.certificate == y.certificate;
  };
  return a.epoch == b.epoch && a.logs == b.logs && a.own_streams == b.own_streams &&
         a.own_lost == b.own_lost && a.own_hlc == b.own_hlc && a.own_anchors == b.own_anchors &&
         a.own_timeless_boot == b.own_timeless_boot && sorted(a.forked) == sorted(b.forked) &&
         std::equal(a.nodes.begin(), a.nodes.end(), b.nodes.begin(), b.nodes.end(), nodes);
}

bool equal(const std::vector<OldSegment>& a, const std::vector<OldSegment>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.release.log == y.release.log && x.release.interval == y.release.interval &&
           x.release.before == y.release.before && x.release.after == y.release.after &&
           x.readings == y.readings && x.bytes == y.bytes;
  });
}

}  // namespace

namespace simulation {
namespace {

constexpr Epoch kEpoch{7};
constexpr Epoch kNextEpoch{8};
constexpr UtcMicros kStart = 1'750'000'000'000'000;

// Segments of a few logs of two nodes, some of them from other branches. The first node has logs of
// another epoch, too, which are drawn when it has begun.
class Segments {
 public:
  explicit Segments(std::uint64_t seed) : random_(seed) {
    for (const std::uint64_t n : {0U, 1U}) keys_.push_back(light_key(n));
    for (const std::size_t n : {0U, 1U, 0U}) {
      const Epoch epoch = logs_.size() < 4 ? kEpoch : kNextEpoch;
      const LogId samples{keys_[n]->node(), epoch, kSamplesTrack};
      for (const LogId& log : {samples, samples.control()}) grow(log);
      logs_.insert(logs_.end(), {samples.control(), samples});
    }
  }
  void begin_next_epoch() { drawn_ = logs_.size(); }

  const NodeId& node() const { return keys_[0]->node(); }
  const std::vector<LogId>& logs() const { return logs_; }

  // A few entries somewhere, at times of another branch. Many segments begin where others do, as a
  // branch wants it that is to win.
  SegmentRecord draw() {
    const LogId& log = logs_[random_.below(drawn_)];
    const std::uint64_t branch = random_.below(4) == 0 ? random_.below(std::size(kPartings)) : 0;
    const Chain& chain = chains_[{log, branch}];
    const bool aligned = random_.below(4) != 0;
    const Seq first = 1 + (aligned ? 5 * random_.below(kLength / 5) : random_.below(kLength));
    const Seq last = std::min<Seq>(kLength, first + (aligned ? 4 : random_.below(6)));
    const Hash before = first == 1 ? chain_start(log) : chain.links[first - 2].after;
    const ChainView part = ChainView(chain).from(first - 1).first(last - first + 1);
    return build_segments(log, before, 0, part, *keys_[log.node == node() ? 0 : 1])->front();
  }

 private:
  static constexpr Seq kLength = 60;
  // Where a branch parts from the first one.
  static constexpr Seq kPartings[] = {kLength + 1, 1, 24, 39, 55};

  void grow(const LogId& log) {
    for (std::uint64_t branch = 0; branch < std::size(kPartings); ++branch) {
      Hash before = chain_start(log);
      for (Seq seq = 1; seq <= kLength; ++seq) {
        Entry entry = make(log, seq, seq < kPartings[branch] ? 0 : branch);
        before = chains_[{log, branch}].add(std::move(entry), before)->after;
      }
    }
  }

  Entry make(const LogId& log, Seq seq, std::uint64_t branch) {
    Entry entry{seq, Hlc::of(1'750'000'000'000 + seq, static_cast<std::uint16_t>(branch)), {}};
    if (log.track != kControlTrack) {
      Samples samples{.stream = 1, .boot = {}, .base = kStart, .rows = Rows(1)};
      samples.rows.begin_row(kStart + static_cast<UtcMicros>(seq) * 1000);
      samples.rows.add_integer(static_cast<std::int64_t>(branch));
      if (seq % 5 == 0) samples.boot = 1 + seq % 2;
      entry.ops = {samples};
    } else if (seq == 1) {
      entry.ops = {Open{log.node == keys_[0]->node() ? keys_[0]->public_key() : Bytes{1},
                        "node " + std::to_string(branch)}};
    } else if (seq % 3 == 0) {
      entry.ops = {Define{seq, 1, {"s" + std::to_string(seq), {{"f", FieldType::int64, "", 0}}}}};
    } else if (seq % 11 == 0) {
      const LogId data{log.node, log.epoch, kSamplesTrack};
      entry.ops = {Seal{log.epoch, data.track, seq, chains_[{data, branch}].links[seq - 1].after}};
    } else if (seq % 7 == 0) {
      entry.ops = {Lost{Epoch{7 + seq % 2}, kSamplesTrack, {{1, seq / 7, {}, {}, seq}}}};
    } else {
      entry.ops = {
          TimeAnchor{1 + seq % 3, "boot", kStart + static_cast<UtcMicros>(seq), kStart, 1}};
    }
    return entry;
  }

  Random random_;
  std::vector<std::unique_ptr<Signer>> keys_;
  std::vector<LogId> logs_;
  std::size_t drawn_ = 4;  // of the logs
  std::map<std::pair<LogId, std::uint64_t>, Chain> chains_;
};

// One store of each kind that are told and asked the same.
class Pair {
  // What each answers.
  template <typename Ask>
  auto both(Ask ask) {
    using Value = std::decay_t<decltype(*ask(*stores_[0]))>;
    std::vector<Value> answers;
    for (auto& store : stores_) {
      auto answer = ask(*store);
      EXPECT_TRUE(answer.ok());
      answers.push_back(answer.ok() ? *std::move(answer) : Value{});
    }
    return answers;
  }

 public:
  explicit Pair(std::uint64_t seed)
      : random_(seed),
        segments_(seed),
        verifier_(make_light_verifier()),
        media_{make_disk_medium(seed), make_memory_medium(seed)} {
    open();
  }

  void open() {
    for (int i = 0; i < 2; ++i) {
      stores_[i].reset();
      auto store = media_[i]->open(segments_.node(), kEpoch, *verifier_);
      ASSERT_TRUE(store.ok()) << store.error().message();
      stores_[i] = *std::move(store);
    }
  }

  void act() {
    switch (random_.below(12)) {
      case 0:
        return release();
      case 1:
        return restart();
      case 2:
        return roll_back();
      case 3:
        return random_.below(6) == 0 ? begin_next_epoch() : commit();
      default:
        return commit();
    }
  }

  void compare() {
    const auto contents = both([](SimStore& store) { return store.load(); });
    EXPECT_TRUE(equal(contents[0], contents[1]));
    const std::uint64_t bytes = random_.below(3000);
    const UtcMicros before = kStart + static_cast<UtcMicros>(random_.below(60'000));
    const auto arrived = both([&](SimStore& store) { return store.first_arrived(bytes); });
    EXPECT_TRUE(equal(arrived[0], arrived[1]));
    for (const LogId& log : segments_.logs()) {
      const Seq from = 1 + random_.below(40);
      const auto old = both([&](SimStore& store) { return store.oldest(log, bytes, from); });
      EXPECT_TRUE(equal(old[0], old[1]));
      const auto older = both([&](SimStore& store) { return store.older_than(log, before); });
      EXPECT_TRUE(equal(older[0], older[1]));
      const Seq first = 1 + random_.below(60);
      const Interval wanted{first, first + random_.below(20)};
      const auto read = both([&](SimStore& store) { return store.read(log, wanted, bytes); });
      ASSERT_EQ(read[0].size(), read[1].size());
      for (std::size_t i = 0; i < read[0].size(); ++i)
        EXPECT_EQ(read[0][i].bytes, read[1][i].bytes);
      EXPECT_EQ(stores_[0]->log_bytes(log), stores_[1]->log_bytes(log));
    }
    EXPECT_EQ(stores_[0]->logs(), stores_[1]->logs());
    EXPECT_EQ(*stores_[0]->fork_count(), *stores_[1]->fork_count());
  }

 private:
  void commit(Changes changes = {}) {
    for (std::uint64_t n = random_.below(4); n > 0; --n)
      changes.segments.push_back(segments_.draw());
    changes.acks.resize(random_.below(2));
    for (Acked& ack : changes.acks) {
      ack.log = segments_.logs()[1];
      ack.acked.insert({1 + random_.below(20), 20 + random_.below(20)});
    }
    const auto outcomes = both([&](SimStore& store) { return store.commit(changes); });
    ASSERT_EQ(outcomes[0].size(), outcomes[1].size());
    for (std::size_t i = 0; i < outcomes[0].size(); ++i) {
      EXPECT_EQ(outcomes[0][i].kind, outcomes[1][i].kind);
      EXPECT_EQ(outcomes[0][i].fork_seq, outcomes[1][i].fork_seq);
      EXPECT_EQ(outcomes[0][i].known, outcomes[1][i].known);
    }
  }

  void begin_next_epoch() {
    segments_.begin_next_epoch();
    const LogId& control = segments_.logs()[0];
    commit({.rollbacks = {{control, 0, chain_start(control)}}, .epoch = kNextEpoch});
  }

  // To the end of a stored segment. Where another one spans it, both refuse.
  void roll_back() {
    const LogId& log = segments_.logs()[std::vector<std::size_t>{0, 1, 4, 5}[random_.below(4)]];
    Changes changes{.rollbacks = {{log, 0, chain_start(log)}}};
    const auto stored = stores_[0]->read(log, {1, kSeqMax}, ~std::uint64_t{0});
    ASSERT_TRUE(stored.ok());
    if (!stored->empty()) {
      const auto header = parse_segment((*stored)[random_.below(stored->size())].bytes);
      changes.rollbacks = {{log, header->last, decode_segment(*header)->info.after}};
    }
    const bool done = stores_[0]->commit(changes).ok();
    EXPECT_EQ(stores_[1]->commit(changes).ok(), done);
  }

  void release() {
    const LogId& log = segments_.logs()[1 + 2 * random_.below(2)];
    const auto old = stores_[0]->oldest(log, 300);
    ASSERT_TRUE(old.ok());
    std::vector<Release> releases;
    for (const OldSegment& segment : *old) releases.push_back(segment.release);
    (void)both([&](SimStore& store) { return store.commit({.releases = releases}); });
  }

  void restart() {
    for (auto& medium : media_) medium->cut_power();
    open();
  }

  Random random_;
  Segments segments_;
  std::unique_ptr<Verifier> verifier_;
  std::unique_ptr<Medium> media_[2];
  std::unique_ptr<SimStore> stores_[2];
};

TEST(SimStore, LightAndRealAgree) {
  for_seeds(60, [](std::uint64_t seed) {
    Pair pair(seed);
    for (int n = 0; n < 150 && !testing::Test::HasFailure(); ++n) {
      pair.act();
      pair.compare();
    }
  });
}

// A database that is written, closed after errors and opened anew as runtime::Disk does it, on a
// disk that fails in every way at any operation. What a commit said to be stored stays.
class Survivor {
 public:
  explicit Survivor(std::uint64_t seed)
      : random_(seed),
        segments_(seed),
        verifier_(make_light_verifier()),
        medium_(make_disk_medium(seed)) {}

  void live(int steps) {
    for (int n = 0; n < steps && !testing::Test::HasFailure(); ++n) {
      if (random_.below(25) == 0) die();
      if (random_.below(40) == 0) fail_for_a_while();
      if (store_ == nullptr) open();
      if (store_ != nullptr) commit();
    }
    medium_->set_faults({});
    die();
    open();
    EXPECT_NE(store_, nullptr);
    EXPECT_GT(merged_, 0U);
  }

 private:
  void fail_for_a_while() {
    SimDisk::Faults faults;
    const std::uint64_t kind = random_.below(5);
    if (kind == 0) faults.read_fails = 0.02;
    if (kind == 1) faults.write_fails = 0.05;
    if (kind == 2) faults.sync_fails = 0.3;
    if (kind == 3) faults.bytes_max = 4096 * random_.below(40);
    medium_->set_faults(faults);
  }

  void die() {
    if (random_.below(3) == 0) return medium_->kill(), store_.reset();
    medium_->cut_power_before(random_.below(60));
    for (int n = 0; n < 3 && store_ != nullptr; ++n) commit();
    medium_->cut_power();
    store_.reset();
  }

  void open() {
    auto store = medium_->open(segments_.node(), kEpoch, *verifier_);
    if (!store.ok()) {
      EXPECT_NE(store.error().code, Errc::corrupt) << store.error().message();
      return;
    }
    store_ = *std::move(store);
    const auto contents = store_->load();
    if (!contents.ok()) return store_.reset();
    std::map<LogId, IntervalSet> there;
    for (const LogState& state : contents->logs) there[state.id()] = state.held();
    for (const auto& [log, set] : stored_) {
      for (const Interval& interval : set.intervals())
        EXPECT_TRUE(there[log].contains(interval)) << log.to_string();
      expect_readable(log, set);
    }
  }

  // What the state claims is in segments that read back, however they were merged meanwhile.
  void expect_readable(const LogId& log, const IntervalSet& stored) {
    const auto segments = store_->read(log, {1, kSeqMax}, ~std::uint64_t{0});
    if (!segments.ok()) return;  // the disk may fail just now
    IntervalSet readable;
    for (const StoredSegment& segment : *segments) {
      const auto header = parse_segment(segment.bytes);
      ASSERT_TRUE(header.ok());
      ASSERT_TRUE(decode_segment(*header).ok());
      readable.insert(segment.interval);
    }
    for (const Interval& interval : stored.intervals())
      EXPECT_TRUE(readable.contains(interval)) << log.to_string();
  }

  void commit() {
    if (random_.below(2) == 0) {
      const auto merged = store_->compact_step();
      if (merged.ok()) merged_ += *merged;
      const Errc failed = merged.ok() ? Errc::storage_full : merged.error().code;
      EXPECT_NE(failed, Errc::corrupt);
      if (failed != Errc::storage_full) return store_.reset();
    }
    std::vector<SegmentRecord> segments;
    for (std::uint64_t n = 1 + random_.below(3); n > 0; --n) segments.push_back(segments_.draw());
    const auto outcomes = store_->commit({.segments = segments});
    if (!outcomes.ok()) {
      EXPECT_NE(outcomes.error().code, Errc::corrupt) << outcomes.error().message();
      if (outcomes.error().code == Errc::storage_full) return;
      store_.reset();
      // It may have come through, and one of another branch may have won.
      for (const SegmentRecord& segment : segments) {
        const SegmentInfo& info = segment.info;
        if (info.log.node != segments_.node()) stored_[info.log].erase({info.first, ~Seq{0}});
      }
      return;
    }
    for (std::size_t i = 0; i < segments.size(); ++i) {
      const SegmentInfo& info = segments[i].info;
      const WriteOutcome::Kind kind = (*outcomes)[i].kind;
      if (kind == WriteOutcome::Kind::won) stored_[info.log].erase({info.first, ~Seq{0}});
      if (kind == WriteOutcome::Kind::won || kind == WriteOutcome::Kind::stored)
        stored_[info.log].insert(info.interval());
    }
  }

  Random random_;
  Segments segments_;
  std::unique_ptr<Verifier> verifier_;
  std::unique_ptr<Medium> medium_;
  std::unique_ptr<SimStore> store_;
  std::map<LogId, IntervalSet> stored_;
  std::uint64_t merged_ = 0;
};

TEST(SimStore, TheRealOneKeepsItsWordOnAnyDisk) {
  for_seeds(30, [](std::uint64_t seed) { Survivor(seed).live(300); });
}

// What a store does against a failed fsync works with a WAL alone.
TEST(SimStore, ARealOneThatOpensHasAWal) {
  int opened = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    SimDisk disk(seed);
    disk.set_faults({.sync_fails = 0.2});
    const auto verifier = make_light_verifier();
    const auto store = storage::LogStore::open({.path = disk.path("log.db"), .fresh_epoch = kEpoch},
                                               light_key(1)->node(), *verifier, nullptr);
    if (!store.ok()) continue;
    opened += 1;
    const Bytes file = disk.image().at("log.db");
    EXPECT_EQ(file.at(18), 2) << "seed " << seed;  // versions of the format to write and to read
    EXPECT_EQ(file.at(19), 2) << "seed " << seed;
  }
  EXPECT_GT(opened, 10);
}

}  // namespace
}  // namespace simulation
}  // namespace dunlin
