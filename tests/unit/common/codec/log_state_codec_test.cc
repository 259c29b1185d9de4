#include "common/codec/log_state_codec.h"

#include <gtest/gtest.h>

#include "common/base/random.h"
#include "common/log/limits.h"
#include "tests/vectors/golden.h"
#include "tests/vectors/samples.h"

namespace dunlin {
namespace {

using test::Golden;
using test::hash_of_byte;

IntervalSet set_of(std::initializer_list<Interval> intervals) {
  IntervalSet set;
  for (const Interval& interval : intervals) set.insert(interval);
  return set;
}

LogState busy_state() {
  LogState::Parts parts;
  parts.runs = {{21, 40, hash_of_byte(20), hash_of_byte(40)},
                {51, 300, hash_of_byte(50), hash_of_byte(0xff)}};
  parts.lost = set_of({{1, 10}});
  parts.released = set_of({{11, 20}});
  parts.acked = set_of({{1, 5}, {7, 7}, {300, 300}});
  parts.lost_readings = 1234;
  parts.head = 300;
  parts.head_hash = hash_of_byte(0xff);
  return LogState::from_parts(test::test_log(kSamplesTrack), std::move(parts));
}

std::vector<std::pair<std::string, LogState>> cases() {
  LogState whole(test::test_log(kSamplesTrack));
  SegmentInfo info;
  info.first = 1, info.last = 25, info.before = hash_of_byte(0xaa), info.after = hash_of_byte(0xbb);
  whole.admit(info);
  LogState sealed = whole;
  sealed.seal(25, hash_of_byte(0xbb));
  return {{"empty", LogState(test::test_log(kSamplesTrack))},
          {"whole", whole},
          {"busy", busy_state()},
          {"sealed", sealed}};
}

TEST(LogStateCodec, MatchesTheGoldenBytes) {
  const LogId log = test::test_log(kSamplesTrack);
  const char* abouts[] = {
      "nothing is known", "entries 1 to 25 are held",
      "1-10 lost, 11-20 released, 21-40 and 51-300 held, 1-5, 7 and 300 acknowledged",
      "entries 1 to 25 are held, and its node ended the log there"};
  std::vector<Golden> all;
  for (const auto& [name, state] : cases())
    all.push_back({name, abouts[all.size()], encode_log_state(state)});
  const auto stored = test::expect_golden(
      "log_state.txt", "The state of one log as storage keeps it (log_format.md).", all);
  for (const auto& [name, state] : cases()) {
    const Result<LogState> decoded = decode_log_state(log, stored.at(name));
    ASSERT_TRUE(decoded.ok()) << name << ": " << decoded.error().message();
    EXPECT_EQ(*decoded, state) << name;
  }
}

TEST(LogStateCodec, RefusesEveryTruncationAndEveryMore) {
  const LogId log = test::test_log(kSamplesTrack);
  for (const auto& [name, state] : cases()) {
    Bytes bytes = encode_log_state(state);
    for (std::size_t n = 0; n < bytes.size(); ++n) {
      EXPECT_FALSE(decode_log_state(log, ByteView(bytes).first(n)).ok()) << name << " cut at " << n;
    }
    bytes.push_back(0);
    EXPECT_EQ(decode_log_state(log, bytes).error().code, Errc::malformed) << name;
  }
}

TEST(LogStateCodec, EveryFlippedBitIsRefusedOrAnotherValidState) {
  const LogId log = test::test_log(kSamplesTrack);
  for (const auto& item : cases()) {
    const std::string& name = item.first;
    test::for_each_flip(encode_log_state(item.second), [&](const Bytes& flipped, std::size_t bit) {
      const Result<LogState> decoded = decode_log_state(log, flipped);
      if (!decoded.ok()) return;
      EXPECT_EQ(to_hex(encode_log_state(*decoded)), to_hex(flipped)) << name << " bit " << bit;
      for (std::size_t i = 0; i < decoded->runs().size(); ++i) {
        const LogState::Run& run = decoded->runs()[i];
        EXPECT_LE(run.first, run.last);
        EXPECT_LE(run.last, decoded->head());
        EXPECT_TRUE(i == 0 || run.first > decoded->runs()[i - 1].last + 1);
      }
    });
  }
}

TEST(LogStateCodec, RefusesRunsThatBreakTheInvariants) {
  const auto encoded = [](std::vector<LogState::Run> runs, Seq head) {
    LogState::Parts parts;
    parts.runs = std::move(runs);
    parts.head = head;
    return encode_log_state(LogState::from_parts({}, std::move(parts)));
  };
  EXPECT_TRUE(decode_log_state({}, encoded({{1, 2, {}, {}}, {4, 5, {}, {}}}, 5)).ok());
  EXPECT_FALSE(decode_log_state({}, encoded({{0, 2, {}, {}}}, 5)).ok());
  EXPECT_FALSE(decode_log_state({}, encoded({{3, 2, {}, {}}}, 5)).ok());
  EXPECT_FALSE(decode_log_state({}, encoded({{1, 6, {}, {}}}, 5)).ok());
  EXPECT_FALSE(decode_log_state({}, encoded({{1, 2, {}, {}}, {3, 5, {}, {}}}, 5)).ok());
  EXPECT_FALSE(decode_log_state({}, encoded({{4, 5, {}, {}}, {1, 2, {}, {}}}, 5)).ok());
  EXPECT_FALSE(decode_log_state({}, encoded({}, kSeqMax + 1)).ok());
}

Result<IntervalSet> read_intervals(ByteView bytes) {
  CborReader reader(bytes);
  DUNLIN_ASSIGN(IntervalSet set, decode_intervals(reader));
  DUNLIN_TRY(reader.finish());
  return set;
}

TEST(Intervals, AreDistances) {
  Bytes bytes;
  CborWriter writer(bytes);
  encode_intervals(writer, set_of({{1, 3}, {5, 5}, {30, 31}}));
  EXPECT_EQ(to_hex(bytes),
            "86"
            "0102"
            "0200"
            "181901");
  EXPECT_EQ(*read_intervals(bytes), set_of({{1, 3}, {5, 5}, {30, 31}}));
}

TEST(Intervals, RoundTripRandomSets) {
  Random random(11);
  for (int i = 0; i < 500; ++i) {
    IntervalSet set;
    for (std::uint64_t n = random.below(12); n > 0; --n) {
      const Seq first = 1 + (random.next() >> (2 + random.below(62))) % kSeqMax;
      set.insert({first, std::min<Seq>(kSeqMax, first + random.below(100))});
    }
    Bytes bytes;
    CborWriter writer(bytes);
    encode_intervals(writer, set);
    const Result<IntervalSet> back = read_intervals(bytes);
    ASSERT_TRUE(back.ok()) << back.error().message();
    EXPECT_EQ(*back, set);
  }
}

TEST(Intervals, RefuseWhatIsNotASet) {
  const std::pair<const char*, const char*> refused[] = {
      {"8101", "half an interval"},
      {"820000", "sequence number 0"},
      {"8401000100", "neighbours that are one interval"},
      {"8401000000", "a distance of 0"},
      {"821b400000000000000100", "a first beyond 2^62"},
      {"82011b4000000000000000", "a last beyond 2^62"},
      {"84011b3fffffffffffffff0200", "a sum beyond 2^62"},
      {"821bffffffffffffffff1bffffffffffffffff", "a sum that wraps"},
      {"820120", "a negative length"},
  };
  for (const auto& [digits, why] : refused) {
    const Result<IntervalSet> set = read_intervals(*from_hex(digits));
    ASSERT_FALSE(set.ok()) << why;
    EXPECT_EQ(set.error().code, Errc::malformed) << why;
  }
}

}  // namespace
}  // namespace dunlin
