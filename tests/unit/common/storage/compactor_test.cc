// Compaction of a LogStore: fewer segments, and nothing else that anybody could tell.
#include "common/storage/compactor.h"

#include "agent/inputs/greenhouse.h"
#include "common/base/random.h"
#include "common/log/limits.h"
#include "common/storage/format_table.h"
#include "tests/simulation/keys.h"
#include "tests/unit/common/storage/fleet_fixture.h"
#include "tests/vectors/samples.h"

namespace dunlin::storage {
namespace {

using test::integers;

constexpr std::size_t kFanIn = 8;
const StreamSchema kClimate{
    "climate", {{"temperature", FieldType::decimal, "", 2}, {"humidity", FieldType::int64, "", 0}}};

class CompactorTest : public test::FleetTest {
 protected:
  CompactorTest() { open({.fan_in = kFanIn}); }

  void open(CompactionPolicy policy) {
    store_.reset();
    const LogStore::Options options{
        .path = path_, .fresh_epoch = Epoch{1}, .compaction = std::move(policy)};
    store_ =
        std::make_unique<LogStore>(*LogStore::open(options, own_key_->node(), *verifier_, nullptr));
  }

  // Until there is nothing to do; how many segments fewer there are.
  std::uint64_t compact() {
    std::uint64_t fewer = 0;
    for (int n = 0; store_->compactions_due() > 0; ++n) {
      const Result<std::uint64_t> step = store_->compact_step();
      EXPECT_TRUE(step.ok()) << step.error().message();
      EXPECT_LT(n, 1000) << "it goes round and round";
      if (n == 1000 || !step.ok()) break;
      fewer += *step;
    }
    return fewer;
  }

  // What readers, peers and the next start see, however it is cut.
  struct Seen {
    std::vector<LogState> states;
    std::map<std::pair<LogId, Seq>, std::pair<Entry, Hash>> entries;
    std::string answers;
    bool operator==(const Seen&) const = default;
  };
  Seen see(const test::Origin& origin) {
    Seen seen;
    seen.states = store_->load()->logs;
    for (const Track track : {kControlTrack, kSamplesTrack}) {
      const LogId log = origin.log(track);
      const auto segments = store_->read(log, {1, kSegmentEntriesMax * 4}, ~std::uint64_t{0});
      EXPECT_TRUE(segments.ok());
      for (const StoredSegment& segment : *segments) see(origin, log, segment, seen);
    }
    Result<Reader> reader = Reader::open(path_);
    EXPECT_TRUE(reader.ok());
    for (const char* sql :
         {"SELECT * FROM stream_climate", "SELECT * FROM samples WHERE stream = 'noise'",
          "SELECT * FROM stream_climate WHERE time BETWEEN 1700000050000000 AND 1700000090000000",
          "SELECT count(*), sum(a.humidity + b.humidity) FROM stream_climate a"
          " JOIN stream_climate b ON a.time = b.time AND a.seq <= 20"}) {
      const Result<Table> table = reader->query(sql);
      EXPECT_TRUE(table.ok()) << sql << ": " << table.error().message();
      if (table.ok()) seen.answers += format_csv(*table);
    }
    return seen;
  }
  void see(const test::Origin& origin, const LogId& log, const StoredSegment& segment, Seen& seen) {
    const auto header = parse_segment(segment.bytes);
    ASSERT_TRUE(header.ok());
    const auto decoded = decode_segment(*header);
    ASSERT_TRUE(decoded.ok());
    EXPECT_TRUE(verifier_
                    ->verify(origin.public_key(),
                             head_statement(log, header->last, decoded->info.after),
                             header->signature)
                    .ok());
    const auto hashes = entry_hashes(*header);
    for (std::size_t i = 0; i < decoded->entries.size(); ++i)
      seen.entries[{log, decoded->entries[i].seq}] = {decoded->entries[i],
                                                      hashes->at(decoded->entries[i].seq)};
  }

  std::int64_t query(const std::string& sql) {
    return *Connection::open(path_, SQLITE_OPEN_READONLY)->query_integer(sql);
  }
  std::int64_t segments(const std::string& where = "1") {
    return query("SELECT count(*) FROM segments WHERE " + where);
  }
  // The sums in `logs` are those over `segments`.
  void expect_sums() {
    EXPECT_EQ(query("SELECT count(*) FROM logs l"
                    " WHERE bytes <> (SELECT sum(length(body)) FROM segments s WHERE s.log = l.id)"
                    " OR segments <> (SELECT count(*) FROM segments s WHERE s.log = l.id)"),
              0);
  }

  // One entry of `rows` readings a second apart, as a sensor has them.
  void append(test::Origin& origin, std::size_t rows = 1) {
    std::vector<test::IntegerRow> all;
    for (std::size_t i = 0; i < rows; ++i) {
      second_ += 1;
      temperature_ += static_cast<std::int64_t>(random_.below(7)) - 3;
      all.push_back({kStart + second_ * kSecond + static_cast<std::int64_t>(random_.below(3)),
                     {temperature_, 40 + static_cast<std::int64_t>(random_.below(3))}});
    }
    origin.append({integers(1, all)});
  }

  Random random_{11};
  std::int64_t second_ = 0;
  std::int64_t temperature_ = 2150;
};

// A log that arrived in pieces of any size and order, with gaps and overlaps.
TEST_F(CompactorTest, NothingChangesButTheCuts) {
  test::Origin origin(*store_, 5);
  origin.define(1, 1, kClimate);
  origin.define(2, 1, {"noise", {{"level", FieldType::int64, "", 0}}});
  for (std::uint64_t id = 3; id < 20; ++id)
    origin.define(id, 1, {"s" + std::to_string(id), {{"f", FieldType::text, "", 0}}});
  for (int n = 0; n < 600; ++n) {
    if (n % 9 == 0) {
      Samples samples = integers(2, {{n, {n}}});
      if (n % 2 == 0) samples.boot = 7;
      origin.append(
          {std::move(samples), dunlin::test::later_anchor()});  // of a newer minor version
    } else {
      append(origin, 1 + random_.below(3));
    }
  }
  std::vector<Interval> pieces;
  for (Seq first = 1; first <= 600;) {
    const Seq last = std::min<Seq>(600, first + (random_.below(20) == 0 ? 60 : random_.below(3)));
    if (random_.below(40) != 0) pieces.push_back({first, last});
    first = last + 1;
  }
  IntervalSet held;
  for (std::size_t n = 0; n < pieces.size(); ++n) {
    std::swap(pieces[n], pieces[n + random_.below(std::min<std::size_t>(9, pieces.size() - n))]);
    const Seq before = std::min<Seq>(pieces[n].first - 1, random_.below(12) == 0 ? 5 : 0);
    const Interval piece{pieces[n].first - before, pieces[n].last};
    if (held.contains(piece)) continue;
    held.insert(piece);
    origin.store(piece.first, piece.last);
    if (n % 50 != 0) continue;
    const Seen seen = see(origin);
    compact();
    EXPECT_TRUE(see(origin) == seen);
    expect_sums();
  }
  const Seen seen = see(origin);
  const std::int64_t count = segments();
  EXPECT_GT(count, 20);
  open({.fan_in = 4});
  EXPECT_GT(compact(), 0U);
  EXPECT_LT(segments(), count);
  EXPECT_TRUE(see(origin) == seen);
  expect_sums();
  open({.fan_in = 4});
  EXPECT_TRUE(see(origin) == seen);
  EXPECT_EQ(store_->fork_count().value(), 0U);
}

TEST_F(CompactorTest, AMergedSegmentIsIndexedByAllThatIsInIt) {
  test::Origin origin(*store_, 5);
  origin.define(1, 1, kClimate);
  for (int n = 0; n < 8; ++n) append(origin, 2), origin.flush();
  const std::int64_t low = query("SELECT min(time_min) FROM segments WHERE readings > 0");
  const std::int64_t high = query("SELECT max(time_max) FROM segments");
  const std::int64_t id = query("SELECT max(id) FROM segments");
  EXPECT_EQ(compact(), 7U);
  EXPECT_EQ(segments("readings = 16 AND first = 1 AND last = 8 AND time_min = " +
                     std::to_string(low) + " AND time_max = " + std::to_string(high) +
                     " AND id = " + std::to_string(id) + " AND hex(streams) = '8101'"),
            1);
  EXPECT_EQ(compact(), 0U);
}

// 20,000 readings of a greenhouse, a second apart; flushed as the clock was, to the millisecond.
TEST_F(CompactorTest, OneReadingPerFlushEndsAsABatchDevice) {
  open({});
  const auto write = [&](std::uint8_t device, std::size_t rows) {
    const auto key = simulation::light_key(device);
    Signer& signer = *key;
    const LogId log{signer.node(), Epoch{5}, kSamplesTrack};
    agent::Greenhouse greenhouse({});
    Hash hash = chain_start(log);
    std::vector<SegmentRecord> waiting;
    for (Seq seq = 1; seq <= 20'000 / rows; ++seq) {
      Samples samples{.stream = 1, .boot = {}, .base = 0, .rows = Rows(4)};
      greenhouse.next(rows, samples.rows);
      samples.base = samples.rows.times().front();
      const auto flushed = static_cast<std::uint64_t>(samples.rows.times().back() / 1000);
      Chain entry;
      const Hash before = hash;
      hash = entry.add({seq, Hlc::of(flushed, 0), {std::move(samples)}}, before).value().after;
      waiting.push_back(build_segments(log, before, 0, entry, signer)->front());
      if (waiting.size() < 100 && seq < 20'000 / rows) continue;
      EXPECT_TRUE(store_->commit({.segments = std::exchange(waiting, {})}).ok());
      compact();
    }
    return static_cast<double>(store_->log_bytes(log));
  };
  const double batch = write(1, 200);
  EXPECT_LT(batch, 3.5 * 20'000);
  EXPECT_LT(write(2, 1), 1.2 * batch);
}

TEST_F(CompactorTest, WhatWasListedStaysUntilItIsReleased) {
  test::Origin origin(*store_, 5);
  for (int n = 0; n < 40; ++n) append(origin), origin.flush();
  const auto old = *store_->oldest(origin.log(), 700);
  ASSERT_GE(old.size(), 3U);
  EXPECT_GT(compact(), 20U);
  std::vector<Release> releases;
  std::uint64_t bytes = 0;
  for (const OldSegment& segment : old) releases.push_back(segment.release), bytes += segment.bytes;
  const std::uint64_t held = store_->log_bytes(origin.log());
  ASSERT_TRUE(store_->commit({.releases = releases}).ok());
  EXPECT_EQ(store_->log_bytes(origin.log()), held - bytes);
  EXPECT_EQ(store_->state(origin.log())->held().intervals().front().first, old.size() + 1);
  expect_sums();
  // Not for ever.
  (void)*store_->oldest(origin.log(), 1);
  for (int n = 0; n < 80; ++n) append(origin), origin.flush();
  compact();
  EXPECT_GT(store_->oldest(origin.log(), 1)->front().release.interval.size(), 1U);
}

// A peer that merged its log sends all of it where one entry was missing.
TEST_F(CompactorTest, WhatIsInsideAnotherGoes) {
  test::Origin origin(*store_, 5);
  for (int n = 0; n < 20; ++n) append(origin);
  for (Seq seq = 1; seq <= 20; ++seq) {
    if (seq != 11) origin.store(seq, seq);
  }
  origin.store(1, 20);
  const auto seen = store_->load()->logs;
  EXPECT_EQ(compact(), 19U);
  EXPECT_EQ(store_->load()->logs, seen);
  EXPECT_EQ(store_->read(origin.log(), {1, 20}, 1 << 20)->size(), 1U);
  expect_sums();
}

TEST_F(CompactorTest, ASegmentThatDoesNotReadBackStaysAsItIs) {
  test::Origin origin(*store_, 5);
  for (int n = 0; n < 40; ++n) append(origin), origin.flush();
  tamper("UPDATE segments SET body = zeroblob(length(body)) WHERE first = 15 AND readings > 0");
  EXPECT_GT(compact(), 20U);
  EXPECT_EQ(segments("first = 15 AND last = 15 AND readings > 0"), 1);
  expect_sums();
}

TEST_F(CompactorTest, AStepThatFailsChangesNothing) {
  test::Origin origin(*store_, 5);
  origin.define(1, 1, kClimate);
  origin.define(2, 1, {"noise", {{"level", FieldType::int64, "", 0}}});
  for (int n = 0; n < 20; ++n) append(origin), origin.flush();
  const Seen seen = see(origin);
  const std::int64_t count = segments();
  {
    Connection writer = *Connection::open(path_, SQLITE_OPEN_READWRITE);
    ASSERT_TRUE(writer.execute("BEGIN IMMEDIATE").ok());
    EXPECT_FALSE(store_->compact_step().ok());
    EXPECT_EQ(store_->compactions_due(), 1u);
  }
  EXPECT_EQ(segments(), count);
  EXPECT_TRUE(see(origin) == seen);
  EXPECT_GT(compact(), 10U);
  EXPECT_TRUE(see(origin) == seen);
}

TEST_F(CompactorTest, NoSegmentSpansMoreThanItMay) {
  open({.fan_in = kFanIn, .span_max = {{kSamplesTrack, std::chrono::seconds(20)}}});
  test::Origin origin(*store_, 5);
  for (int n = 0; n < 100; ++n) append(origin), origin.flush();
  EXPECT_GT(compact(), 80U);
  EXPECT_EQ(segments("time_max - time_min > 20000000"), 0);
}

// A reader that began before goes on as if nothing happened.
TEST_F(CompactorTest, OpenReadersSeeWhatTheyBeganWith) {
  test::Origin origin(*store_, 5);
  for (int n = 0; n < 40; ++n) append(origin), origin.flush();
  Connection reader = *Connection::open(path_, SQLITE_OPEN_READONLY);
  ASSERT_TRUE(reader.execute("BEGIN").ok());
  const std::int64_t before = *reader.query_integer("SELECT count(*) FROM segments");
  EXPECT_GT(compact(), 20U);
  EXPECT_EQ(*reader.query_integer("SELECT count(*) FROM segments"), before);
  EXPECT_LT(segments(), before);
}

}  // namespace
}  // namespace dunlin::storage
