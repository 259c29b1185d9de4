#include "common/codec/columns.h"

#include <gtest/gtest.h>

#include <bit>
#include <limits>
#include <string>

#include "common/base/random.h"
#include "common/codec/entry_codec.h"
#include "common/codec/varint.h"
#include "common/log/limits.h"

namespace dunlin {
namespace {

constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kStart = 1'760'000'000'000'000;

using Entries = std::vector<Entry>;

Result<Entries> decoded(const Entries& entries, ByteView payload) {
  return decode_columns(payload, entries.front().seq, entries.back().seq);
}

void expect_round_trip(const Entries& entries) {
  const Bytes payload = encode_columns(entries);
  EXPECT_EQ(payload, encode_columns(entries));
  const auto back = decoded(entries, payload);
  ASSERT_TRUE(back.ok()) << back.error().message();
  ASSERT_EQ(back->size(), entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    EXPECT_EQ((*back)[i], entries[i]) << "entry " << i;
    EXPECT_EQ(encode_entry((*back)[i]), encode_entry(entries[i])) << "entry " << i;
  }
}

double real_of(std::uint64_t bits) {
  return std::bit_cast<double>(bits);
}

double random_real(Random& random) {
  static constexpr std::uint64_t kSpecial[] = {
      0,                   // 0.0
      1ULL << 63,          // -0.0
      0x7ff8000000000000,  // NaN
      0x7ff0000000000000,
      0xfff0000000000000,  // infinities
      1,
      0x800fffffffffffff,
      0x0010000000000000,  // around the denormals
      0x7fefffffffffffff,  // the largest
  };
  switch (random.below(4)) {
    case 0:
      return real_of(kSpecial[random.below(std::size(kSpecial))]);
    case 1:
      return static_cast<double>(random.below(100)) / 10;
    case 2:
      return 20 + random.unit();
    default: {
      const std::uint64_t bits = random.next();
      const bool finite = (bits >> 52 & 0x7ff) != 0x7ff;
      return real_of(finite ? bits : bits & ~(1ULL << 62));
    }
  }
}

void add_random_cell(Random& random, std::uint64_t kind, Rows& rows) {
  static const std::string kTexts[] = {
      "", "ok", "gr\u00fcn", "\u6e29\u5ea6", "\U0001f426", std::string(300, 'x')};
  if (kind == 6) kind = random.below(6);  // a column of everything
  switch (kind) {
    case 0:
      return rows.add_missing();
    case 1:
      return rows.add_integer(static_cast<std::int64_t>(random.next() >> random.below(64)));
    case 2:
      return rows.add_real(random_real(random));
    case 3:
      return rows.add_boolean(random.below(2) == 0);
    case 4:
      return rows.add_text(kTexts[random.below(std::size(kTexts))]);
    default: {
      static constexpr std::int64_t kEdges[] = {kMin, kMax, 0, -1, 1, kMin + 1};
      return rows.add_integer(kEdges[random.below(std::size(kEdges))]);
    }
  }
}

Samples random_samples(Random& random) {
  const std::uint64_t stream = random.below(4);
  const std::size_t fields = 1 + stream * 2;
  Samples op{stream, {}, kStart, Rows(fields)};
  if (random.below(4) == 0) op.boot = random.next() >> random.below(64);
  // Unsigned, since times may wrap.
  std::uint64_t time = random.below(30) == 0 ? 1ULL << 63 : kStart + random.below(1000);
  const std::size_t rows = random.below(5) == 0 ? 0 : random.below(12);
  for (std::size_t row = 0; row < rows; ++row) {
    op.rows.begin_row(static_cast<std::int64_t>(time));
    for (std::size_t field = 0; field < fields; ++field) {
      add_random_cell(random, (stream + field) % 7, op.rows);
    }
    switch (random.below(6)) {
      case 0:
        break;  // a duplicate
      case 1:
        time -= 5000;
        break;  // a late one
      default:
        time += 1000;
        break;
    }
  }
  const bool first_time = !op.rows.empty() && random.below(3) > 0;
  op.base = first_time ? op.rows.time(0) : static_cast<std::int64_t>(random.next());
  return op;
}

Op random_op(Random& random) {
  switch (random.below(12)) {
    case 0:
      return Open{Bytes(91, 7), "greenhouse-7"};
    case 1:
      return Seal{{random.next()}, {1}, random.next() >> 2, Hash{1, 2, 3}};
    case 2: {
      StreamSchema schema{"greenhouse", {{"temperature", FieldType::decimal, "Cel", 2}}};
      return Define{random.below(9), 1 + random.below(3), schema};
    }
    case 3:
      return Lost{{77}, {1}, {{3, 9, Hash{1}, Hash{2}, 70}, {20, 20, Hash{3}, Hash{4}, 1}}};
    case 4:
      return TimeAnchor{3, "boot", -5, kStart, 1000};
    case 5:
      return UnknownOp{99, {0x83, 0x18, 0x63, 0x0a, 0xf6}};
    default:
      return random_samples(random);
  }
}

Entries random_entries(std::uint64_t seed) {
  Random random(seed);
  Entries entries(1 + random.below(12));
  const Seq first = random.below(2) == 0 ? 1 : random.next() >> 1;
  std::uint64_t millis = kStart / 1000;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    entries[i].seq = first + i;
    millis = random.below(20) == 0 ? random.next() >> 16 : millis + random.below(50);
    if (millis >> 48 != 0) millis = 0;
    const bool odd = random.below(4) == 0;
    entries[i].hlc = Hlc::of(millis, static_cast<std::uint16_t>(odd ? random.next() : 0));
    const std::size_t ops = random.below(8) == 0 ? 0 : 1 + random.below(4);
    for (std::size_t k = 0; k < ops; ++k) entries[i].ops.push_back(random_op(random));
  }
  return entries;
}

// One reading a second with 2 ms of jitter, four decimal channels that wander: a greenhouse.
Entries greenhouse(std::size_t entries, std::size_t rows_each) {
  Random random(42);
  const auto wander = [&random](std::int64_t& value, std::uint64_t step) {
    value +=
        static_cast<std::int64_t>(random.below(2 * step + 1)) - static_cast<std::int64_t>(step);
    return value;
  };
  std::int64_t temperature = 2150, humidity = 605, light = 3120, battery = 3300;
  std::int64_t second = kStart;
  Entries result(entries);
  for (std::size_t i = 0; i < entries; ++i) {
    Samples op{1, {}, 0, Rows(4)};
    for (std::size_t row = 0; row < rows_each; ++row, second += 1'000'000) {
      op.rows.begin_row(second + (static_cast<std::int64_t>(random.below(5)) - 2) * 1000);
      op.rows.add_integer(wander(temperature, 3));
      op.rows.add_integer(wander(humidity, 2));
      op.rows.add_integer(wander(light, 20));
      op.rows.add_integer(wander(battery, 2));
    }
    op.base = op.rows.time(0);
    const std::int64_t now =
        op.rows.times().back() / 1000 + static_cast<std::int64_t>(random.below(3));
    result[i] = {1 + i, Hlc::of(static_cast<std::uint64_t>(now), 0), {std::move(op)}};
  }
  return result;
}

// An entry with one Samples operation of one field, and the payload of it.
struct Small {
  Entries entries{{1, Hlc::of(5, 0), {}}};
  explicit Small(Rows rows) { entries[0].ops.push_back(Samples{1, {}, 0, std::move(rows)}); }
  Bytes payload() const { return encode_columns(entries); }
};

// A payload from its pieces, written by hand.
struct Pieces {
  Bytes bytes;
  Pieces& hex(std::string text) {
    std::erase(text, ' ');
    const auto more = from_hex(text);
    EXPECT_TRUE(more.ok());
    bytes.insert(bytes.end(), more->begin(), more->end());
    return *this;
  }
  Pieces& constant(std::int64_t value) {
    bytes.push_back(0);
    return number(zigzag(value));
  }
  Pieces& number(std::uint64_t value) {
    append_varint(bytes, value);
    return *this;
  }
};

Errc code_of(const Result<Entries>& result) {
  EXPECT_FALSE(result.ok());
  return result.ok() ? Errc::closed : result.error().code;
}

TEST(Columns, WritesTheDocumentedBytes) {
  Entries entries{{7, Hlc::of(1000, 3), {}}, {8, Hlc::of(2000, 3), {}}};
  for (std::size_t i = 0; i < 2; ++i) {
    Samples op{5, {}, 0, Rows(2)};
    for (std::int64_t row = 0; row < 2; ++row) {
      op.base = static_cast<std::int64_t>(i + 1) * 1'000'000;
      op.rows.begin_row(op.base + row * 1000);
      op.rows.add_integer(40 + row);
      op.rows.add_boolean(true);
    }
    entries[i].ops.push_back(std::move(op));
  }
  entries[1].ops.push_back(UnknownOp{99, {0x81, 0x18, 0x63}});
  const Bytes expected = Pieces()
                             .hex("01 05 00 02")                // one shape: stream 5, two fields
                             .hex("01 02 04")                   // operations: 1 and 2
                             .hex("01 02 02 00")                // of shape 0, of shape 0, raw
                             .hex("00 06 811863")               // the raw one: three bytes
                             .hex("00 04")                      // two rows each
                             .hex("02 e807 80897a 02 ce0f 02")  // times: 1 s, then 1, 999, 1 ms
                             .hex("00 00")                      // bases are the first rows' times
                             .hex("00 02 01 50 52 50 52")       // integers: 40, 41, 40, 41
                             .hex("00 08")                      // all true
                             .hex("01 00 01 00 06")             // clocks: 1 ms early, counter 3
                             .bytes;
  EXPECT_EQ(to_hex(encode_columns(entries)), to_hex(expected));
}

TEST(Columns, RoundTripsRandomEntries) {
  for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
    SCOPED_TRACE(seed);
    expect_round_trip(random_entries(seed));
    if (HasFailure()) return;
  }
}

TEST(Columns, RoundTripsLargeBatches) {
  expect_round_trip(greenhouse(1, 1000));
  expect_round_trip(greenhouse(1000, 1));
  expect_round_trip(greenhouse(40, 25));
}

TEST(Columns, KeepsTheShapeOfEmptyOperations) {
  Entries entries{{1, {}, {Samples{1, {}, 77, Rows(3)}, Samples{1, 4, kMin, Rows(0)}}},
                  {2, {}, {}}};
  expect_round_trip(entries);
}

TEST(Columns, RoundTripsRealColumnsWithFewAndWithManyValues) {
  for (const std::uint64_t distinct : {1u, 2u, 50u, 500u}) {
    Random random(distinct);
    std::vector<double> values(distinct);
    for (double& value : values) value = random_real(random);
    Rows rows(1);
    for (std::int64_t i = 0; i < 600; ++i) {
      rows.begin_row(i);
      rows.add_real(values[random.below(distinct)]);
    }
    expect_round_trip(Small(std::move(rows)).entries);
  }
}

TEST(Columns, WritesEveryNanAsTheCanonicalOne) {
  Rows given(1), kept(1);
  for (const std::uint64_t bits :
       {0x7ff8000000000000ULL, 0xfff8000000000000ULL, 0x7ff0000000000001ULL}) {
    given.begin_row(0), given.add_real(real_of(bits));
    kept.begin_row(0), kept.add_real(real_of(0x7ff8000000000000ULL));
  }
  const Small small(std::move(given));
  const auto back = decoded(small.entries, small.payload());
  ASSERT_TRUE(back.ok()) << back.error().message();
  EXPECT_EQ(std::get<Samples>((*back)[0].ops[0]).rows, kept);
  EXPECT_EQ(encode_entry((*back)[0]), encode_entry(small.entries[0]));
}

TEST(Columns, RefusesEveryTruncation) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    const Entries entries = random_entries(seed);
    const Bytes payload = encode_columns(entries);
    for (std::size_t size = 0; size < payload.size(); ++size) {
      const Bytes cut(payload.begin(), payload.begin() + static_cast<std::ptrdiff_t>(size));
      ASSERT_FALSE(decoded(entries, cut).ok()) << "seed " << seed << ", " << size << " bytes";
    }
    Bytes more = payload;
    more.push_back(0);
    EXPECT_EQ(code_of(decoded(entries, more)), Errc::malformed);
  }
}

TEST(Columns, FlippedBitsGiveAnErrorOrEntriesThatRoundTrip) {
  for (std::uint64_t seed = 1; seed <= 15; ++seed) {
    const Entries entries = random_entries(seed);
    Bytes payload = encode_columns(entries);
    for (std::size_t bit = 0; bit < payload.size() * 8; ++bit) {
      const auto mask = static_cast<std::uint8_t>(1 << bit % 8);
      payload[bit / 8] ^= mask;
      const auto back = decoded(entries, payload);
      if (back.ok() && bit % 8 == seed % 8) {
        const auto again = decoded(entries, encode_columns(*back));
        ASSERT_TRUE(again.ok()) << again.error().message();
        ASSERT_EQ(*again, *back) << "seed " << seed << ", bit " << bit;
      }
      payload[bit / 8] ^= mask;
    }
  }
}

TEST(Columns, RandomBytesNeverCrash) {
  Random random(1);
  for (int i = 0; i < 20'000; ++i) {
    Bytes payload(random.below(60));
    for (std::uint8_t& byte : payload) {
      byte = static_cast<std::uint8_t>(random.below(3) == 0 ? random.next() : random.below(3));
    }
    const auto back = decode_columns(payload, 1, 1 + random.below(4));
    if (!back.ok()) continue;
    EXPECT_TRUE(decoded(*back, encode_columns(*back)).ok());
  }
}

TEST(Columns, RefusesImpossibleRanges) {
  const Bytes payload = Small(Rows(1)).payload();
  EXPECT_EQ(code_of(decode_columns(payload, 2, 1)), Errc::malformed);
  EXPECT_EQ(code_of(decode_columns(payload, 0, ~0ULL)), Errc::malformed);
  EXPECT_EQ(code_of(decode_columns(payload, 1, kSegmentEntriesMax + 1)), Errc::malformed);
}

// One shape (stream 1, no boot), one entry with one operation of it: what precedes the row counts.
Pieces one_op(std::uint64_t fields) {
  Pieces p;
  p.number(1).number(1).hex("00").number(fields).constant(1).constant(1);
  return p;
}

TEST(Columns, HostileConstantsAreTooLarge) {
  // Constant columns are two bytes for any number of values.
  EXPECT_EQ(code_of(decode_columns(one_op(256).constant(5000).bytes, 1, 1)), Errc::too_large);
  EXPECT_EQ(code_of(decode_columns(one_op(1).constant(1'000'000).bytes, 1, 1)), Errc::too_large);
  EXPECT_EQ(code_of(decode_columns(one_op(1).constant(kMax).bytes, 1, 1)), Errc::malformed);

  Pieces ops;
  ops.number(1).number(1).hex("00").number(1).constant(1000).constant(1);
  EXPECT_EQ(code_of(decode_columns(ops.bytes, 1, 4000)), Errc::too_large);

  // 100,000 rows of real 0: nine canonical bytes each and more.
  Pieces reals = one_op(1).constant(150'000).constant(0).constant(0).constant(2);
  EXPECT_EQ(code_of(decode_columns(reals.bytes, 1, 1)), Errc::too_large);

  // A text of 1000 bytes that is used 2000 times.
  Pieces texts =
      one_op(1).constant(2000).constant(0).constant(0).constant(5).number(1).constant(1000);
  texts.bytes.insert(texts.bytes.end(), 1000, 'x');
  EXPECT_EQ(code_of(decode_columns(texts.constant(0).bytes, 1, 1)), Errc::too_large);
}

TEST(Columns, RefusesWhatNobodyWrites) {
  const auto tail = [](Pieces p) { return p.hex("00").constant(5).constant(0).bytes; };
  const auto code = [&](Pieces p) { return code_of(decode_columns(tail(std::move(p)), 1, 1)); };
  const auto rows = [](std::int64_t count) {  // a one-field op up to its tags
    return one_op(1).constant(count).constant(0).constant(0);
  };
  ASSERT_TRUE(decode_columns(tail(rows(2).constant(1).constant(9)), 1, 1).ok());

  EXPECT_EQ(code(Pieces().number(1).number(1).hex("02").number(1)), Errc::malformed);    // flag
  EXPECT_EQ(code(Pieces().number(1).number(1).hex("00").number(257)), Errc::malformed);  // fields
  EXPECT_EQ(code(Pieces().number(900)), Errc::truncated);                                // shapes
  EXPECT_EQ(code(one_op(0).constant(1).constant(0).constant(0)), Errc::malformed);       // no cells
  EXPECT_EQ(code(one_op(1).constant(-1)), Errc::malformed);                      // row count
  EXPECT_EQ(code(rows(2).constant(6)), Errc::malformed);                         // tag
  EXPECT_EQ(code(Pieces().number(0).constant(1).constant(1)), Errc::malformed);  // shape 1 of 0
  EXPECT_EQ(code(Pieces().number(0).constant(-1)), Errc::malformed);             // operations
  // A shape that is not used, and two in another order than they are used in.
  EXPECT_EQ(code(Pieces().number(1).hex("010001").constant(0)), Errc::malformed);
  EXPECT_EQ(code(Pieces().number(2).hex("010001020001").constant(2).hex("010402")),
            Errc::malformed);
  // Samples among the raw operations: [3, 1, 0, []].
  EXPECT_EQ(code(Pieces().number(0).constant(1).constant(0).constant(5).hex("8403010080")),
            Errc::malformed);
  // Reals: modes, control bytes, needless bytes, foreign NaN, dictionary order and use.
  EXPECT_EQ(code(rows(1).constant(2).hex("02")), Errc::malformed);
  EXPECT_EQ(code(rows(1).constant(2).hex("0000")), Errc::malformed);
  EXPECT_EQ(code(rows(1).constant(2).hex("0072ffff")), Errc::malformed);
  EXPECT_EQ(code(rows(1).constant(2).hex("00024000")), Errc::malformed);
  EXPECT_EQ(code(rows(1).constant(2).hex("00027ff9")), Errc::malformed);
  EXPECT_EQ(code(rows(1).constant(2).hex("0002fff8")), Errc::malformed);
  EXPECT_EQ(code(rows(2).constant(2).hex("01 02 010200 010002")), Errc::malformed);
  EXPECT_EQ(code(rows(2).constant(2).hex("01 02 010002 0000")), Errc::malformed);
  EXPECT_EQ(code(rows(2).constant(2).hex("01 02 0000 010002")), Errc::malformed);
  EXPECT_EQ(code(rows(2).constant(2).hex("0103")), Errc::malformed);
  EXPECT_EQ(code(rows(2).constant(2).hex("0100")), Errc::malformed);
  // Texts: not UTF-8, order and use of the dictionary.
  EXPECT_EQ(code(rows(1).constant(5).number(1).constant(1).hex("ff0000")), Errc::malformed);
  EXPECT_EQ(code(rows(2).constant(5).number(2).constant(1).hex("6162").hex("010200")),
            Errc::malformed);
  EXPECT_EQ(code(rows(2).constant(5).number(2).constant(1).hex("6162").constant(0)),
            Errc::malformed);
  EXPECT_EQ(code(rows(2).constant(5).number(3)), Errc::malformed);
  EXPECT_EQ(code(rows(2).constant(5).number(0).constant(0)), Errc::malformed);
}

TEST(Columns, RefusesClocksThatAreNone) {
  const auto with = [](const std::string& clock) {
    return decode_columns(one_op(1).constant(0).constant(0).hex(clock).bytes, 1, 1);
  };
  ASSERT_TRUE(with("0000000000").ok());
  EXPECT_EQ(code_of(with("0200000000")), Errc::malformed);                // mode
  EXPECT_EQ(code_of(with("0000010000")), Errc::malformed);                // -1 ms
  EXPECT_EQ(code_of(with("000080808080808080010000")), Errc::malformed);  // 2^48 ms
  EXPECT_EQ(code_of(with("0000000080800800")), Errc::malformed);          // counter 65536
}

TEST(Columns, GreenhouseReadingsStaySmall) {
  const auto bytes_per_reading = [](std::size_t entries, std::size_t rows_each) {
    const std::size_t size = encode_columns(greenhouse(entries, rows_each)).size();
    return static_cast<double>(size) / static_cast<double>(entries * rows_each);
  };
  const double hundred = bytes_per_reading(1, 100);
  const double thousand = bytes_per_reading(1, 1000);
  const double single = bytes_per_reading(1000, 1);
  RecordProperty("batch_100", std::to_string(hundred));
  RecordProperty("batch_1000", std::to_string(thousand));
  RecordProperty("merged_singles_1000", std::to_string(single));
  EXPECT_LE(hundred, 4.5);
  EXPECT_LE(thousand, 3.5);
  EXPECT_LE(single, thousand * 1.2);
}

}  // namespace
}  // namespace dunlin
