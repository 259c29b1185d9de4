#include "common/storage/samples_table.h"

#include <limits>

#include "common/storage/format_table.h"
#include "common/storage/query.h"
#include "tests/unit/common/storage/fleet_fixture.h"

namespace dunlin::storage::test {
namespace {

const Field kTemperature{"temperature", FieldType::decimal, "Cel", 2};

class SamplesTableTest : public FleetTest {
 protected:
  // The rows of a query as lines of comma-separated values.
  std::vector<std::string> lines(const std::string& sql, std::vector<Value> parameters = {}) {
    if (!reader_) reader_ = std::make_unique<Reader>(*Reader::open(path_));
    const std::uint64_t before = reader_->segments_decoded();
    const Result<Table> table = reader_->query(sql, parameters);
    EXPECT_TRUE(table.ok()) << sql << ": " << table.error().message();
    decoded_ = reader_->segments_decoded() - before;
    std::vector<std::string> out;
    if (!table.ok()) return out;
    const std::string csv = format_csv(*table);
    for (std::size_t at = csv.find("\r\n") + 2; at < csv.size();) {
      const std::size_t end = csv.find("\r\n", at);
      out.push_back(csv.substr(at, end - at));
      at = end + 2;
    }
    return out;
  }
  using Lines = std::vector<std::string>;

  std::unique_ptr<Reader> reader_;
  std::uint64_t decoded_ = 0;  // segments, by the last query
};

TEST_F(SamplesTableTest, EveryTypeReadsAsItsSqlValue) {
  Origin origin(*store_, 0xabc);
  origin.define(1, 1,
                {"all",
                 {{"real", FieldType::float64, "", 0},
                  {"whole", FieldType::int64, "", 0},
                  kTemperature,
                  {"on", FieldType::boolean, "", 0},
                  {"label", FieldType::text, "", 0}}});
  Samples samples{.stream = 1, .boot = {}, .base = kStart, .rows = Rows(5)};
  Rows& rows = samples.rows;
  rows.begin_row(kStart);
  rows.add_real(0.5), rows.add_integer(std::numeric_limits<std::int64_t>::min());
  rows.add_integer(2153), rows.add_boolean(true), rows.add_text("it's \"quoted\"");
  rows.begin_row(kStart + kSecond);
  for (int i = 0; i < 5; ++i) rows.add_missing();
  origin.append({samples});
  origin.flush();

  const std::string prefix = origin.node() + ",0000000000000abc,1,";
  EXPECT_EQ(lines("SELECT * FROM stream_all"),
            (Lines{prefix + "0,1700000000000000,0.5,-9223372036854775808,21.53,1,"
                            "\"it's \"\"quoted\"\"\"",
                   prefix + "1,1700000001000000,,,,,"}));
  EXPECT_EQ(lines("SELECT stream, node, epoch, seq, row, time, field, value FROM samples"
                  " WHERE row = 0 AND field IN ('real', 'temperature', 'on')"),
            (Lines{"all," + prefix + "0,1700000000000000,real,0.5",
                   "all," + prefix + "0,1700000000000000,temperature,21.53",
                   "all," + prefix + "0,1700000000000000,on,1"}));
  EXPECT_EQ(lines("SELECT typeof(real), typeof(whole), typeof(temperature), typeof(\"on\"),"
                  " typeof(label) FROM stream_all ORDER BY row"),
            (Lines{"real,integer,real,integer,text", "null,null,null,null,null"}));
  EXPECT_EQ(lines("SELECT count(*), count(value) FROM samples"), Lines{"10,5"});
}

TEST_F(SamplesTableTest, DecimalsAreRoundedOnce) {
  Origin origin(*store_, 2);
  origin.define(1, 1,
                {"d",
                 {{"a", FieldType::decimal, "", 18},
                  {"b", FieldType::decimal, "", 3},
                  {"c", FieldType::decimal, "", 0}}});
  origin.append({integers(1, {{kStart, {1, -1, 7}},
                              {kStart, {1'234'567'890'123'456'789, 9'007'199'254'740'993, -7}},
                              {kStart, {std::numeric_limits<std::int64_t>::min(), 1005, 0}}})});
  origin.flush();
  EXPECT_EQ(lines("SELECT a = 1e-18, b = -0.001, c = 7.0 FROM stream_d WHERE row = 0"),
            Lines{"1,1,1"});
  EXPECT_EQ(lines("SELECT a = 1.234567890123456789, b = 9007199254740.993 FROM stream_d"
                  " WHERE row = 1"),
            Lines{"1,1"});
  EXPECT_EQ(lines("SELECT a = -9.223372036854775808, b = 1.005, c FROM stream_d WHERE row = 2"),
            Lines{"1,1,0.0"});
}

TEST_F(SamplesTableTest, ColumnsAreTheUnionOfVersionsAndNodes) {
  Origin first(*store_, 3);
  first.define(1, 1, {"air", {kTemperature}});
  first.append({integers(1, {{kStart, {2100}}})});
  first.flush();
  EXPECT_EQ(lines("SELECT temperature FROM stream_air"), Lines{"21.0"});

  // Version 2 appends a field and widens the decimals; the open reader sees it.
  Field finer = kTemperature;
  finer.decimals = 3;
  first.define(2, 2, {"air", {finer, {"humidity", FieldType::int64, "%", 0}}});
  first.append({integers(2, {{kStart + 1, {21'001, 60}}})});
  first.flush();
  EXPECT_EQ(lines("SELECT temperature, humidity FROM stream_air ORDER BY time"),
            (Lines{"21.0,", "21.001,60"}));

  // Another node calls the same field a text: the column is mixed.
  Origin second(*store_, 4);
  second.define(9, 1,
                {"air", {{"humidity", FieldType::text, "", 0}, {"co2", FieldType::int64, "", 0}}});
  Samples samples{.stream = 9, .boot = {}, .base = kStart, .rows = Rows(2)};
  samples.rows.begin_row(kStart + 2);
  samples.rows.add_text("damp"), samples.rows.add_integer(400);
  second.append({samples});
  second.flush();
  EXPECT_EQ(lines("SELECT temperature, humidity, co2 FROM stream_air ORDER BY time"),
            (Lines{"21.0,,", "21.001,60,", ",damp,400"}));
  EXPECT_EQ(lines("SELECT type FROM pragma_table_info('stream_air') WHERE name = 'humidity'"),
            Lines{"\"\""});
  EXPECT_EQ(lines("SELECT count(*) FROM samples WHERE stream = 'air'"), Lines{"5"});
}

TEST_F(SamplesTableTest, AwkwardNamesGetUniqueColumnsAndTables) {
  Origin origin(*store_, 5);
  const auto whole = [](std::string name) {
    return Field{std::move(name), FieldType::int64, "", 0};
  };
  origin.define(1, 1,
                {"a/b", {whole("time"), whole("TIME"), whole("x\"y"), whole(""), whole("a,b)")}});
  origin.define(2, 1, {"A/B", {whole("v")}});
  origin.define(3, 1, {std::string("n\0l; DROP", 9), {whole(std::string("\0", 1))}});
  origin.append({integers(1, {{kStart, {1, 2, 3, 4, 5}}}), integers(2, {{kStart, {6}}}),
                 integers(3, {{kStart, {7}}})});
  origin.flush();
  EXPECT_EQ(lines("SELECT time, time_2, TIME_3, \"x\"\"y\", \"_\", \"a,b)\" FROM \"stream_a/b_2\""),
            Lines{"1700000000000000,1,2,3,4,5"});
  EXPECT_EQ(lines("SELECT v FROM \"stream_A/B\""), Lines{"6"});
  EXPECT_EQ(lines("SELECT \"_\" FROM \"stream_n_l; DROP\""), Lines{"7"});
  EXPECT_EQ(lines("SELECT field, value FROM samples WHERE stream = 'a/b' AND field = 'TIME'"),
            Lines{"TIME,2"});
}

TEST_F(SamplesTableTest, RowsAreCountedPerEntryAndStream) {
  Origin origin(*store_, 6);
  origin.define(1, 1, {"s", {kTemperature}});
  origin.define(2, 2, {"s", {kTemperature, {"n", FieldType::int64, "", 0}}});
  origin.define(3, 1, {"other", {kTemperature}});
  origin.append({integers(1, {{kStart, {1}}, {kStart, {2}}}), integers(3, {{kStart, {3}}}),
                 integers(2, {{kStart, {4, 0}}}), integers(1, {{kStart, {5}}})});
  origin.append({integers(1, {{kStart, {6}}})});
  origin.flush();
  EXPECT_EQ(lines("SELECT seq, row, temperature FROM stream_s"),
            (Lines{"1,0,0.01", "1,1,0.02", "1,2,0.04", "1,3,0.05", "2,0,0.06"}));
  EXPECT_EQ(lines("SELECT row, value FROM samples WHERE stream = 'other'"), Lines{"0,0.03"});
}

TEST_F(SamplesTableTest, UnknownTimeIsNullAndDuplicatesAndLateReadingsStay) {
  Origin origin(*store_, 7);
  origin.define(1, 1, {"s", {kTemperature}});
  Samples booted = integers(1, {{5, {100}}});
  booted.boot = 3;
  origin.append({booted});
  origin.flush();
  const IntegerRow reading{kStart, {200}};
  origin.append({integers(1, {reading, reading})});
  origin.append({integers(1, {{kStart - 3600 * kSecond, {300}}})});
  origin.flush();
  EXPECT_EQ(lines("SELECT seq, row, time, temperature FROM stream_s"),
            (Lines{"1,0,,1.0", "2,0,1700000000000000,2.0", "2,1,1700000000000000,2.0",
                   "3,0,1699996400000000,3.0"}));
  EXPECT_EQ(lines("SELECT seq FROM stream_s WHERE time < 1700000000000000"), Lines{"3"});
  EXPECT_EQ(decoded_, 1U);  // the first segment knows no time
  EXPECT_EQ(lines("SELECT seq FROM stream_s WHERE time IS NULL"), Lines{"1"});
}

// Readings of boots without a clock, one a second, and what their anchors make of them.
class BootTimeTest : public SamplesTableTest {
 protected:
  BootTimeTest() : origin_(*store_, 7) { origin_.define(1, 1, {"s", {kTemperature}}); }

  static Samples since_boot(std::uint64_t boot, std::vector<IntegerRow> rows) {
    Samples samples = integers(1, rows);
    samples.boot = boot;
    return samples;
  }
  static TimeAnchor anchor(std::uint64_t boot, std::int64_t monotonic, std::int64_t utc) {
    return {boot, "id", monotonic, utc, 1000};
  }
  void store_anchor(TimeAnchor anchor) {
    origin_.append(kControlTrack, {std::move(anchor)});
    origin_.flush(kControlTrack);
  }
  static std::string at(std::int64_t seconds) { return std::to_string(kStart + seconds * kSecond); }

  Origin origin_;
};

TEST_F(BootTimeTest, AnAnchorCorrectsWhatIsStoredAndWhatComesAfterIt) {
  origin_.append({since_boot(3, {{5 * kSecond, {100}}, {6 * kSecond, {101}}})});
  origin_.flush();
  const std::string all = "SELECT seq, row, time FROM stream_s";
  EXPECT_EQ(lines(all), (Lines{"1,0,", "1,1,"}));
  store_anchor(anchor(3, 10 * kSecond, kStart + 10 * kSecond));
  EXPECT_EQ(lines(all), (Lines{"1,0," + at(5), "1,1," + at(6)}));  // in the open reader
  origin_.append({since_boot(3, {{20 * kSecond, {102}}})});
  origin_.append({since_boot(4, {{1 * kSecond, {103}}})});
  origin_.flush();
  EXPECT_EQ(lines(all), (Lines{"1,0," + at(5), "1,1," + at(6), "2,0," + at(20), "3,0,"}));
  EXPECT_EQ(lines("SELECT time FROM samples WHERE seq < 3"), (Lines{at(5), at(6), at(20)}));

  store_ = nullptr;  // it is all on the disk
  reader_ = nullptr;
  EXPECT_EQ(lines(all), (Lines{"1,0," + at(5), "1,1," + at(6), "2,0," + at(20), "3,0,"}));
}

TEST_F(BootTimeTest, RangesOfTimeFindWhatWasCorrectedAndPruneTheRest) {
  for (int i = 1; i <= 10; ++i) {
    origin_.append({since_boot(3, {{i * kSecond, {i}}})});
    origin_.flush();
  }
  Samples mixed = integers(1, {{kStart + 3 * kSecond, {11}}});
  origin_.append({since_boot(3, {{100 * kSecond, {12}}}), mixed});
  origin_.flush();
  const std::string range =
      "SELECT seq FROM stream_s WHERE time BETWEEN " + at(3) + " AND " + at(4);
  EXPECT_EQ(lines(range), Lines{"11"});
  EXPECT_EQ(decoded_, 1U);
  store_anchor(anchor(3, 0, kStart));
  EXPECT_EQ(lines(range), (Lines{"3", "4", "11"}));
  EXPECT_EQ(decoded_, 3U);
  EXPECT_EQ(lines("SELECT seq FROM stream_s WHERE time > " + at(50)), Lines{"11"});
  EXPECT_EQ(decoded_, 1U);
  EXPECT_EQ(lines("SELECT count(*) FROM stream_s WHERE time IS NULL"), Lines{"0"});
}

TEST_F(BootTimeTest, TheFirstAnchorOfABootCountsInWhateverOrderTheyCome) {
  origin_.append({since_boot(3, {{5 * kSecond, {100}}})});
  origin_.flush();
  origin_.append(kControlTrack, {anchor(3, 0, -1)});  // of no clock
  origin_.append(kControlTrack, {anchor(3, 0, kStart)});
  origin_.append(kControlTrack, {anchor(3, 0, kStart + 1000 * kSecond)});
  origin_.store(kControlTrack, 5, 5);
  EXPECT_EQ(lines("SELECT time FROM stream_s"), Lines{at(1005)});
  origin_.store(kControlTrack, 3, 4);
  EXPECT_EQ(lines("SELECT time FROM stream_s"), Lines{at(5)});
  EXPECT_EQ(lines("SELECT seq FROM stream_s WHERE time = " + at(5)), Lines{"1"});
}

TEST_F(BootTimeTest, AnchorsAreOfOneNodeAndEpoch) {
  origin_.append({since_boot(3, {{5 * kSecond, {100}}})});
  origin_.flush();
  origin_.set_epoch(8);
  store_anchor(anchor(3, 0, kStart));
  Origin other(*store_, 7);
  other.append(kControlTrack, {anchor(3, 0, kStart)});
  other.flush(kControlTrack);
  EXPECT_EQ(lines("SELECT time FROM stream_s WHERE time > 0"), Lines{});
  EXPECT_EQ(lines("SELECT time FROM stream_s"), Lines{""});
}

TEST_F(BootTimeTest, ExtremeTimesStayUnknownOrExact) {
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  origin_.append({since_boot(3, {{kMost, {1}}, {-kMost - 1, {2}}, {kMost - kStart, {3}}})});
  origin_.flush();
  store_anchor(anchor(3, 0, kStart));
  EXPECT_EQ(lines("SELECT time FROM stream_s"),
            (Lines{"", std::to_string(kStart - kMost - 1), std::to_string(kMost)}));
  EXPECT_EQ(lines("SELECT row FROM stream_s WHERE time = " + std::to_string(kMost)), Lines{"2"});
}

// More boots in one segment than it has spans for.
TEST_F(BootTimeTest, ManyBootsInOneSegment) {
  for (std::uint64_t boot = 1; boot <= 2 * kBootSpansMax; ++boot)
    origin_.append({since_boot(boot, {{kSecond, {static_cast<std::int64_t>(boot)}}})});
  origin_.flush();
  store_anchor(anchor(100, 0, kStart));
  EXPECT_EQ(lines("SELECT seq FROM stream_s WHERE time > " + at(0)), Lines{"100"});
}

TEST_F(SamplesTableTest, OverlappingSegmentsAreReadOnce) {
  Origin origin(*store_, 8);
  origin.define(1, 1, {"s", {kTemperature}});
  for (int i = 1; i <= 12; ++i) origin.append({integers(1, {{kStart + i * kSecond, {i * 100}}})});
  origin.store(3, 5);
  origin.store(1, 6);   // holds the first one
  origin.store(5, 10);  // overlaps
  origin.store(11, 12);
  const Lines all = lines("SELECT seq FROM stream_s");
  EXPECT_EQ(all, (Lines{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"}));
  EXPECT_EQ(decoded_, 3U);  // 3..5 is covered by 1..6
  EXPECT_EQ(lines("SELECT seq FROM stream_s WHERE seq BETWEEN 5 AND 7"), (Lines{"5", "6", "7"}));
  EXPECT_EQ(lines("SELECT seq FROM stream_s WHERE seq > 6 AND seq < 11"),
            (Lines{"7", "8", "9", "10"}));
  EXPECT_EQ(decoded_, 1U);
  EXPECT_EQ(lines("SELECT seq FROM stream_s WHERE seq = 5 OR time = 1700000005000000 OR seq = 6"),
            (Lines{"5", "6"}));
}

TEST_F(SamplesTableTest, EntriesWithoutADefinitionAreSkippedUntilItComes) {
  Origin origin(*store_, 9);
  origin.define(1, 1, {"s", {kTemperature}});
  origin.append({integers(1, {{kStart, {100}}}), integers(2, {{kStart, {200}}})});
  origin.flush();
  EXPECT_EQ(lines("SELECT stream, value FROM samples"), Lines{"s,1.0"});
  origin.define(2, 1, {"late", {kTemperature}});
  EXPECT_EQ(lines("SELECT stream, value FROM samples"), (Lines{"s,1.0", "late,2.0"}));
  EXPECT_EQ(lines("SELECT temperature FROM stream_late"), Lines{"2.0"});
}

// A revoked node's readings count up to where the authority says, in whatever segments they lie.
TEST_F(SamplesTableTest, ReadingsBeyondARevocationDoNotCount) {
  Origin authority(*store_, 9), origin(*store_, 1), other(*store_, 1);
  LogStore::Options options{.path = path_, .fresh_epoch = Epoch{1}};
  options.authority = authority.log().node;
  *store_ = *LogStore::open(options, own_key_->node(), *verifier_, nullptr);
  for (Origin* each : {&origin, &other}) {
    each->define(1, 1, {"s", {kTemperature}});
    for (int i = 1; i <= 5; ++i) each->append({integers(1, {{kStart + i, {100 * i}}})});
    each->flush();
  }
  const std::string sums = "SELECT sum(value), max(seq) FROM samples GROUP BY node ORDER BY 1";
  EXPECT_EQ(lines(sums), (Lines{"15.0,5", "15.0,5"}));
  const auto revoke = [&](Origin& by, std::vector<Revoke::End> ends) {
    by.append(kControlTrack, {Revoke{origin.log().node, std::move(ends)}});
    by.flush(kControlTrack);
  };
  revoke(other, {});
  EXPECT_EQ(lines(sums), (Lines{"15.0,5", "15.0,5"})) << "it is not the authority";
  revoke(authority, {{Epoch{1}, kSamplesTrack, 3, {}}});
  EXPECT_EQ(lines(sums), (Lines{"6.0,3", "15.0,5"}));
  EXPECT_EQ(lines("SELECT count(*) FROM stream_s WHERE seq > 3"), Lines{"2"});
  revoke(authority, {{Epoch{2}, kSamplesTrack, 3, {}}});  // the latest word
  EXPECT_EQ(lines(sums), Lines{"15.0,5"});
  EXPECT_EQ(store_->load()->revocations.size(), 1u);
}

// Ten segments for each of two streams, on two nodes, the second with two epochs.
class PruningTest : public SamplesTableTest {
 protected:
  PruningTest() : first_(*store_, 1), second_(*store_, ~std::uint64_t{0}) {
    fill(first_);
    fill(second_);
    second_.set_epoch(2);
    fill(second_);
  }

  void fill(Origin& origin) {
    origin.define(1, 1, {"warm", {kTemperature}});
    origin.define(2, 1, {"cold", {kTemperature}});
    for (int i = 0; i < 20; ++i) {
      const std::uint64_t stream = i % 2 == 0 ? 1 : 2;
      for (int k = 0; k < 5; ++k) {
        const std::int64_t time = kStart + (i * 5 + k) * kSecond;
        origin.append({integers(stream, {{time, {i}}, {time, {-i}}})});
      }
      origin.flush();
    }
  }

  // Compares with the same condition in a form that cannot be pruned.
  void expect_pruned(const std::string& table, const std::string& condition,
                     std::uint64_t segments_max) {
    const std::string select = "SELECT count(*), sum(seq * (row + 1)) FROM " + table + " WHERE ";
    const Lines pruned = lines(select + condition);
    EXPECT_LE(decoded_, segments_max) << condition;
    std::string blind = condition;
    for (const char* column : {"stream", "node", "epoch", "seq", "time"}) {
      const std::string name = std::string(column) + " ";
      for (std::size_t at = 0; (at = blind.find(name, at)) != std::string::npos; at += 2) {
        blind.insert(at, "+");
      }
    }
    EXPECT_EQ(pruned, lines(select + blind)) << condition;
    EXPECT_GT(decoded_, segments_max) << blind;
  }

  Origin first_, second_;
};

TEST_F(PruningTest, StreamNodeAndEpoch) {
  expect_pruned("samples", "stream = 'warm'", 30);
  expect_pruned("samples", "node = '" + first_.node() + "'", 20);
  expect_pruned("samples", "node = '" + second_.node() + "' AND epoch = 'ffffffffffffffff'", 20);
  expect_pruned("samples", "epoch = '0000000000000002' AND stream = 'cold'", 10);
  expect_pruned("samples", "stream = 'none'", 0);
  expect_pruned("samples", "stream = 'warm' AND stream = 'cold'", 0);
  expect_pruned("samples", "node = NULL", 0);
  expect_pruned("stream_warm", "epoch = '0000000000000001'", 10);
  expect_pruned("stream_warm", "node IN ('" + first_.node() + "', 'x')", 10);
}

TEST_F(PruningTest, SequenceNumbers) {
  expect_pruned("stream_warm", "seq = 42", 3);
  expect_pruned("samples", "seq = 42", 3);
  expect_pruned("samples", "seq > 90", 6);
  expect_pruned("samples", "seq >= 91 AND seq <= 95", 3);
  expect_pruned("samples", "seq < 6", 3);
  expect_pruned("samples", "seq > 6.5 AND seq < 7.5", 3);
  expect_pruned("samples", "seq < 1", 0);
  expect_pruned("samples", "seq > 9223372036854775807", 0);
  expect_pruned("samples", "seq = 6.5", 0);
  EXPECT_EQ(lines("SELECT count(*) FROM samples WHERE seq > 1e300"), Lines{"0"});
  EXPECT_EQ(lines("SELECT count(*) FROM samples WHERE seq > -1e300 AND seq <= 1e19"), Lines{"600"});
}

TEST_F(PruningTest, Time) {
  const auto at = [](int seconds) { return std::to_string(kStart + seconds * kSecond); };
  expect_pruned("stream_cold", "time = " + at(7), 3);
  expect_pruned("samples", "time >= " + at(90), 6);
  expect_pruned("samples", "time < " + at(5), 3);
  expect_pruned("samples", "time BETWEEN " + at(20) + " AND " + at(29), 6);
  expect_pruned(
      "stream_warm",
      "time > " + at(50) + " AND node = '" + first_.node() + "' AND epoch = '0000000000000001'", 5);
  expect_pruned("samples", "time > " + at(1000), 0);
}

TEST_F(PruningTest, WhatCannotBePrunedIsStillRight) {
  EXPECT_EQ(lines("SELECT count(*) FROM samples WHERE node = upper('" + first_.node() +
                  "') COLLATE NOCASE"),
            Lines{"200"});
  EXPECT_EQ(lines("SELECT count(*) FROM samples WHERE seq = '42'"), Lines{"6"});
  EXPECT_EQ(lines("SELECT count(*) FROM samples WHERE stream = 'warm' OR seq = 42 OR time < 0"),
            lines("SELECT count(*) FROM samples WHERE +stream = 'warm' OR +seq = 42"));
  EXPECT_EQ(lines("SELECT count(*) FROM samples WHERE seq = ? AND epoch = ?",
                  {std::int64_t{1}, std::string("0000000000000002")}),
            Lines{"2"});
}

TEST_F(PruningTest, TablesJoin) {
  EXPECT_EQ(lines("SELECT count(*), sum(w.temperature = -c.temperature) FROM stream_warm w"
                  " JOIN stream_cold c ON c.node = w.node AND c.epoch = w.epoch"
                  " AND c.seq = w.seq + 5 AND c.row = w.row WHERE w.epoch = '0000000000000001'"),
            Lines{"100,0"});
  EXPECT_EQ(lines("SELECT count(*) FROM nodes n JOIN samples s ON s.node = lower(hex(n.node))"
                  " WHERE s.seq = 3"),
            Lines{"6"});
}

}  // namespace
}  // namespace dunlin::storage::test
