#include "common/codec/int_column.h"

#include <gtest/gtest.h>

#include <limits>

#include "common/base/random.h"

namespace dunlin {
namespace {

using Ints = std::vector<std::int64_t>;
constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

Bytes encoded(const Ints& values) {
  Bytes out;
  append_ints(values, out);
  return out;
}

Result<Ints> decoded(ByteView bytes, std::size_t count) {
  PayloadReader in(bytes);
  Ints values(count);
  DUNLIN_TRY(read_ints(in, values));
  if (!in.at_end()) return in.error(Errc::malformed, "trailing");
  return values;
}

void expect_round_trip(const Ints& values) {
  const Bytes bytes = encoded(values);
  EXPECT_EQ(bytes.size(), values.empty() ? 0 : plan_ints(values).size);
  const auto back = decoded(bytes, values.size());
  ASSERT_TRUE(back.ok()) << back.error().message();
  EXPECT_EQ(*back, values) << to_hex(bytes);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(decoded(ByteView(bytes).first(size), values.size()).ok()) << size;
  }
}

// A column of `count` values of one of several characters.
Ints random_column(Random& random, std::size_t count) {
  Ints values;
  const std::uint64_t kind = random.below(8);
  const unsigned bits = static_cast<unsigned>(random.below(64)) + 1;
  const std::uint64_t unit = random.below(3) == 0 ? 1 + random.below(1'000'000) : 1;
  auto at = static_cast<std::uint64_t>(random.next());
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t noise = random.next() >> (64 - bits);
    switch (kind) {
      case 0:
        at = noise * unit;
        break;
      case 1:
        at += noise * unit;
        break;
      case 2:
        at += (1000 + noise % 5) * unit;
        break;
      case 3:
        at = random.below(20) == 0 ? random.next() : at;
        break;
      case 4:
        at = (noise - noise / 2) * unit;
        break;
      case 5:
        at = random.below(2) == 0 ? 0x8000000000000000ULL : 0x7fffffffffffffffULL;
        break;
      case 6:
        at = random.below(6);
        break;
      default:
        at += i % 40 == 0 ? random.next() : random.below(16) * unit;
        break;
    }
    values.push_back(static_cast<std::int64_t>(at));
  }
  return values;
}

TEST(IntColumn, WritesTheDocumentedBytes) {
  EXPECT_EQ(to_hex(encoded({})), "");
  EXPECT_EQ(to_hex(encoded({-1})), "0001");
  EXPECT_EQ(to_hex(encoded({7, 7, 7})), "000e");
  EXPECT_EQ(to_hex(encoded({0, 300})), "0100d804");
  EXPECT_EQ(to_hex(encoded({1000, 3000, 6000, 10000})), "02e807d00f040608");
  EXPECT_EQ(to_hex(encoded({1, 0, 1, 1, 0, 1, 0, 0})), "040100012d");  // one bit each
  EXPECT_EQ(to_hex(encoded({1000, 2000, 3000, 4000})), "04e807d00f02e4");
  EXPECT_EQ(to_hex(encoded({9000, 19000, 29000, 39000, 49000, 59000, 69000})),
            "06904ed08c010200");  // steps are all one unit: nothing is left to say
}

TEST(IntColumn, RoundTripsExtremes) {
  expect_round_trip({});
  expect_round_trip({kMin});
  expect_round_trip({kMin, kMax});
  expect_round_trip({kMax, kMin, kMax, 0, -1, 1});
  expect_round_trip({0, kMin, 0, kMin});
  expect_round_trip({kMin, kMax - 2, kMin, kMax - 2});  // steps wrap and share a factor
  Ints powers;
  for (int bit = 0; bit < 63; ++bit) powers.push_back(std::int64_t{1} << bit);
  expect_round_trip(powers);
}

TEST(IntColumn, RoundTripsRandomColumns) {
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    expect_round_trip(random_column(random, random.below(seed % 10 == 0 ? 300 : 40)));
    if (HasFailure()) return;
  }
}

TEST(IntColumn, AcceptsEveryModeForTheSameValues) {
  const Ints values = {10, 20, 30};
  const char* const columns[] = {
      "0114283c",    // plain
      "020a140202",  // steps of 1 * 10
      "0201141414",  // steps of 10 * 1
      "030a140200",  // the first step, and no change of it
      "040a140224",  // distances 0, 1, 2 in two bits
      "050a14020a",  // steps in two bits
      "060a140200",  // no change of the step, in no bits
  };
  for (const char* const hex : columns) {
    const auto bytes = from_hex(hex);
    ASSERT_TRUE(bytes.ok());
    const auto back = decoded(*bytes, 3);
    ASSERT_TRUE(back.ok()) << hex << ": " << back.error().message();
    EXPECT_EQ(*back, values) << hex;
  }
}

TEST(IntColumn, OneValueInEveryMode) {
  for (const char* hex : {"000e", "010e", "02010e", "03010e", "04010e00", "05010e", "06010e"}) {
    const auto bytes = from_hex(hex);
    ASSERT_TRUE(bytes.ok());
    const auto back = decoded(*bytes, 1);
    ASSERT_TRUE(back.ok()) << hex << ": " << back.error().message();
    EXPECT_EQ(*back, Ints{7}) << hex;
  }
}

TEST(IntColumn, RefusesWhatNobodyWrites) {
  const struct {
    const char* hex;
    std::size_t count;
    Errc code;
  } cases[] = {
      {"", 1, Errc::truncated},
      {"07", 1, Errc::malformed},                      // no such mode
      {"008000", 1, Errc::malformed},                  // needless byte
      {"0080808080808080808002", 1, Errc::malformed},  // 65 bits
      {"00808080808080808080808000", 1, Errc::malformed},
      {"020002", 1, Errc::malformed},                    // scale 0
      {"028180808080808080800102", 1, Errc::malformed},  // scale above 2^63
      {"04010039", 1, Errc::malformed},                  // 57 bits
      {"04010003ff", 2, Errc::malformed},                // padding
      {"0401000301", 3, Errc::truncated},
  };
  for (const auto& c : cases) {
    const auto bytes = from_hex(c.hex);
    ASSERT_TRUE(bytes.ok());
    const auto back = decoded(*bytes, c.count);
    ASSERT_FALSE(back.ok()) << c.hex;
    EXPECT_EQ(back.error().code, c.code) << c.hex;
  }
  // The same inside a long column, where several varints are read at once.
  Bytes bytes = encoded(Ints{0, 1'000'000'007, -5, 2'000'000'011, 77, 3'000'000'019});
  ASSERT_EQ(bytes[0], 1);
  bytes.insert(bytes.begin() + 1, {std::uint8_t{0x80}, std::uint8_t{0x00}});
  bytes.resize(bytes.size() + 16);
  EXPECT_FALSE(decoded(bytes, 7).ok());
}

TEST(IntColumn, FlippedBitsNeverCrash) {
  std::size_t refused = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    Random random(seed);
    const Ints values = random_column(random, 1 + random.below(80));
    Bytes bytes = encoded(values);
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      const auto mask = static_cast<std::uint8_t>(1 << bit % 8);
      bytes[bit / 8] ^= mask;
      const auto back = decoded(bytes, values.size());
      if (!back.ok()) ++refused;
      bytes[bit / 8] ^= mask;
    }
    const auto back = decoded(bytes, values.size());
    ASSERT_TRUE(back.ok());
    EXPECT_EQ(*back, values);
  }
  EXPECT_GT(refused, 0u);
}

TEST(Varint, SizesAndZigzag) {
  EXPECT_EQ(varint_size(0), 1u);
  for (unsigned bit = 0; bit < 64; ++bit) {
    std::uint8_t buffer[kVarintBytesMax];
    for (const std::uint64_t value : {1ULL << bit, (1ULL << bit) - 1, ~0ULL >> bit}) {
      const std::uint8_t* const end = put_varint(buffer, value);
      EXPECT_EQ(static_cast<std::size_t>(end - buffer), varint_size(value)) << value;
      PayloadReader in({buffer, varint_size(value)});
      const auto back = in.varint();
      ASSERT_TRUE(back.ok());
      EXPECT_EQ(*back, value);
      EXPECT_EQ(zigzag(unzigzag(value)), value);
    }
  }
  EXPECT_EQ(zigzag(0), 0u);
  EXPECT_EQ(zigzag(-1), 1u);
  EXPECT_EQ(zigzag(1), 2u);
  EXPECT_EQ(zigzag(kMin), ~0ULL);
}

}  // namespace
}  // namespace dunlin
