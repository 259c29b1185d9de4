#include "common/codec/cbor.h"

#include <gtest/gtest.h>

#include <bit>
#include <functional>
#include <limits>

#include "common/base/random.h"
#include "tests/vectors/golden.h"

namespace dunlin {
namespace {

using test::Golden;

constexpr auto kMin = std::numeric_limits<std::int64_t>::min();
constexpr auto kMax = std::numeric_limits<std::int64_t>::max();

double real_of(std::uint64_t bits) {
  return std::bit_cast<double>(bits);
}

Bytes written(const std::function<void(CborWriter&)>& write) {
  Bytes out;
  CborWriter writer(out);
  write(writer);
  return out;
}

Bytes hex(std::string_view digits) {
  return *from_hex(digits);
}

// Whether the bytes are one whole canonical item, and if not, why.
Result<void> whole_item(ByteView bytes) {
  CborReader reader(bytes);
  DUNLIN_TRY(reader.skip());
  return reader.finish();
}

std::vector<Golden> cases() {
  std::vector<Golden> all;
  const auto add = [&](std::string name, std::string about,
                       const std::function<void(CborWriter&)>& write) {
    all.push_back({std::move(name), std::move(about), written(write)});
  };
  for (const std::uint64_t value : {0ULL, 23ULL, 24ULL, 255ULL, 256ULL, 65535ULL, 65536ULL,
                                    4294967295ULL, 4294967296ULL, 18446744073709551615ULL}) {
    const std::string text = std::to_string(value);
    add("uint_" + text, text, [&](CborWriter& w) { w.uint(value); });
  }
  for (const std::int64_t value :
       {std::int64_t{-1}, std::int64_t{-24}, std::int64_t{-25}, std::int64_t{-256},
        std::int64_t{-257}, std::int64_t{-4294967297}, kMin, kMax}) {
    const std::string text = std::to_string(value);
    add("integer_" + text, text, [&](CborWriter& w) { w.integer(value); });
  }
  add("bytes_empty", "h''", [](CborWriter& w) { w.bytes({}); });
  add("bytes_4", "h'01020304'", [](CborWriter& w) { w.bytes(Bytes{1, 2, 3, 4}); });
  add("bytes_24", "24 zero bytes", [](CborWriter& w) { w.bytes(Bytes(24)); });
  add("text_empty", "\"\"", [](CborWriter& w) { w.text(""); });
  add("text_ascii", "\"IETF\"", [](CborWriter& w) { w.text("IETF"); });
  add("text_umlaut", "\"\\u00fc\"", [](CborWriter& w) { w.text("\xc3\xbc"); });
  add("text_four_bytes", "\"\\ud800\\udd51\"", [](CborWriter& w) { w.text("\xf0\x90\x85\x91"); });
  add("array_empty", "[]", [](CborWriter& w) { w.array(0); });
  add("array_nested", "[1, [2, 3], [4, 5]]", [](CborWriter& w) {
    w.array(3), w.uint(1), w.array(2), w.uint(2), w.uint(3), w.array(2), w.uint(4), w.uint(5);
  });
  add("array_25", "[0, 0, ... 0] of 25 items", [](CborWriter& w) {
    w.array(25);
    for (int i = 0; i < 25; ++i) w.uint(0);
  });
  add("false", "false", [](CborWriter& w) { w.boolean(false); });
  add("true", "true", [](CborWriter& w) { w.boolean(true); });
  add("null", "null", [](CborWriter& w) { w.null(); });
  const std::pair<const char*, std::uint64_t> reals[] = {
      {"real_0", 0},
      {"real_minus_0", 1ULL << 63},
      {"real_1.5", 0x3ff8000000000000},
      {"real_1.1", 0x3ff199999999999a},
      {"real_infinity", 0x7ff0000000000000},
      {"real_minus_infinity", 0xfff0000000000000},
      {"real_nan", 0x7ff8000000000000},
      {"real_smallest", 1},
      {"real_largest", 0x7fefffffffffffff}};
  for (const auto& real : reals) {
    const auto write = [&](CborWriter& w) { w.real(real_of(real.second)); };
    add(real.first, "float64 of the bits " + to_hex(written(write)).substr(2), write);
  }
  return all;
}

TEST(Cbor, WritesTheGoldenBytesAndReadsThemBack) {
  const std::vector<Golden> all = cases();
  test::expect_golden(
      "cbor.txt", "Canonical CBOR items: what a writer writes and a strict reader accepts.", all);
  for (const Golden& golden : all) {
    EXPECT_TRUE(whole_item(golden.bytes).ok()) << golden.name;
    for (std::size_t n = 0; n < golden.bytes.size(); ++n) {
      const Result<void> cut = whole_item(ByteView(golden.bytes).first(n));
      ASSERT_FALSE(cut.ok()) << golden.name << " cut at " << n;
      EXPECT_EQ(cut.error().code, Errc::truncated) << golden.name << " cut at " << n;
    }
  }
}

TEST(Cbor, ReadsEveryTypeAsWritten) {
  const Bytes bytes = written([](CborWriter& w) {
    w.array(9), w.uint(~0ULL), w.integer(kMin), w.integer(kMax), w.bytes(Bytes{1, 2}), w.text("a");
    w.boolean(true), w.null(), w.real(-0.0), w.array(0);
  });
  CborReader r(bytes);
  ASSERT_TRUE(r.array_of(9).ok());
  EXPECT_EQ(*r.uint(), ~0ULL);
  EXPECT_EQ(*r.integer(), kMin);
  EXPECT_EQ(*r.integer(), kMax);
  std::array<std::uint8_t, 2> two{};
  ASSERT_TRUE(r.bytes_into(two).ok());
  EXPECT_EQ(two[1], 2);
  EXPECT_EQ(*r.text(), "a");
  EXPECT_TRUE(*r.boolean());
  EXPECT_TRUE(r.null().ok());
  EXPECT_EQ(std::bit_cast<std::uint64_t>(*r.real()), 1ULL << 63);
  EXPECT_EQ(*r.array(), 0U);
  EXPECT_TRUE(r.finish().ok());
  EXPECT_EQ(r.peek(), CborReader::Type::end);
}

struct Refused {
  const char* digits;
  const char* why;
};

TEST(Cbor, RefusesWhatIsNotCanonical) {
  const Refused refused[] = {
      {"1800", "0 in two bytes"},
      {"1817", "23 in two bytes"},
      {"1900ff", "255 in three bytes"},
      {"1a0000ffff", "65535 in five bytes"},
      {"1b00000000ffffffff", "2^32 - 1 in nine bytes"},
      {"3800", "-1 in two bytes"},
      {"3900ff", "-256 in three bytes"},
      {"3b0000000000000001", "-2 in nine bytes"},
      {"580101", "a byte string with a long head"},
      {"59000101", "a byte string with a longer head"},
      {"780161", "text with a long head"},
      {"980101", "an array with a long head"},
      {"9a0000000101", "an array with a longer head"},
      {"f97e00", "NaN of 16 bits"},
      {"f93c00", "1.0 of 16 bits"},
      {"fa7fc00000", "NaN of 32 bits"},
      {"fa3f800000", "1.0 of 32 bits"},
      {"fb7ff8000000000001", "NaN with a payload"},
      {"fbfff8000000000000", "negative NaN"},
      {"fb7ff0000000000001", "signalling NaN"},
      {"5f4101ff", "a byte string of indefinite length"},
      {"7f6161ff", "text of indefinite length"},
      {"9f01ff", "an array of indefinite length"},
      {"bf6161 01ff", "a map of indefinite length"},
      {"9fff", "an empty array of indefinite length"},
      {"ff", "a break"},
      {"a0", "an empty map"},
      {"a10102", "a map"},
      {"c074323031332d30332d32315432303a30343a30305a", "a tagged time"},
      {"c249010000000000000000", "a bignum"},
      {"d74401020304", "a tag"},
      {"d818456449455446", "a tag in two bytes"},
      {"f7", "undefined"},
      {"f0", "simple value 16"},
      {"f814", "false as a simple value in two bytes"},
      {"f8ff", "simple value 255"},
      {"1c", "reserved additional information 28"},
      {"5d", "reserved additional information 29"},
      {"9e", "reserved additional information 30"},
      {"61ff", "text that is not UTF-8"},
      {"62c080", "overlong UTF-8"},
      {"63eda080", "a surrogate in UTF-8"},
      {"81a0", "a map in an array"},
      {"8261ff00", "bad text in an array"},
  };
  for (const auto& [digits, why] : refused) {
    std::string plain(digits);
    std::erase(plain, ' ');
    const Result<void> result = whole_item(hex(plain));
    ASSERT_FALSE(result.ok()) << why;
    EXPECT_EQ(result.error().code, Errc::malformed) << why << ": " << result.error().message();
  }
}

TEST(Cbor, RefusesLengthsBeyondTheInput) {
  for (const char* digits :
       {"5bffffffffffffffff", "7bffffffffffffffff", "9bffffffffffffffff", "5affffffff00",
        "9affffffff00", "5b000000010000000100", "7b000000010000000161", "9b000000010000000100",
        "42ff", "62", "82", "8200"}) {
    const Result<void> result = whole_item(hex(digits));
    ASSERT_FALSE(result.ok()) << digits;
    EXPECT_EQ(result.error().code, Errc::truncated) << digits;
  }
}

TEST(Cbor, RefusesAnotherTypeThanExpected) {
  const Bytes text = hex("6161"), big = hex("1bffffffffffffffff"),
              small = hex("3bffffffffffffffff");
  EXPECT_EQ(CborReader(text).uint().error().code, Errc::malformed);
  EXPECT_EQ(CborReader(text).bytes().error().code, Errc::malformed);
  EXPECT_EQ(CborReader(text).array().error().code, Errc::malformed);
  EXPECT_EQ(CborReader(text).boolean().error().code, Errc::malformed);
  EXPECT_EQ(CborReader(text).null().error().code, Errc::malformed);
  EXPECT_EQ(CborReader(text).real().error().code, Errc::malformed);
  EXPECT_EQ(CborReader(text).integer().error().code, Errc::malformed);
  EXPECT_EQ(CborReader(hex("20")).uint().error().code, Errc::malformed);
  EXPECT_EQ(CborReader(big).integer().error().code, Errc::malformed);
  EXPECT_EQ(CborReader(small).integer().error().code, Errc::malformed);
  EXPECT_EQ(CborReader(hex("83010203")).array_of(2).error().code, Errc::malformed);
  std::array<std::uint8_t, 3> three{};
  EXPECT_EQ(CborReader(hex("420102")).bytes_into(three).error().code, Errc::malformed);
}

TEST(Cbor, BoundsNesting) {
  const auto nested = [](int depth) {
    Bytes bytes(static_cast<std::size_t>(depth), 0x81);
    bytes.push_back(0x00);
    return bytes;
  };
  EXPECT_TRUE(whole_item(nested(8)).ok());
  EXPECT_EQ(whole_item(nested(9)).error().code, Errc::malformed);
  EXPECT_EQ(whole_item(nested(60000)).error().code, Errc::malformed);
}

TEST(Cbor, WritesEveryNanAsTheCanonicalOne) {
  for (const std::uint64_t bits :
       {0x7ff8000000000001ULL, 0xfff8000000000000ULL, 0x7ff0000000000001ULL}) {
    EXPECT_EQ(to_hex(written([&](CborWriter& w) { w.real(real_of(bits)); })), "fb7ff8000000000000");
  }
}

TEST(Cbor, ErrorsNameTheOffset) {
  const Bytes bytes = hex("8201a0");
  CborReader r(bytes);
  const Result<ByteView> item = r.skip();
  ASSERT_FALSE(item.ok());
  EXPECT_NE(item.error().context.find("offset 2"), std::string::npos) << item.error().context;
  EXPECT_EQ(CborReader(hex("0000")).finish().error().code, Errc::malformed);
}

// Copies one item through the writer. False where an integer is below 64 bits, which the formats do
// not use.
bool copy_item(CborReader& r, CborWriter& w) {
  switch (r.peek()) {
    case CborReader::Type::uint:
      return w.uint(*r.uint()), true;
    case CborReader::Type::negative: {
      const Result<std::int64_t> value = r.integer();
      if (value.ok()) w.integer(*value);
      return value.ok();
    }
    case CborReader::Type::bytes:
      return w.bytes(*r.bytes()), true;
    case CborReader::Type::text:
      return w.text(*r.text()), true;
    case CborReader::Type::boolean:
      return w.boolean(*r.boolean()), true;
    case CborReader::Type::null:
      return (void)r.null(), w.null(), true;
    case CborReader::Type::real:
      return w.real(*r.real()), true;
    case CborReader::Type::array: {
      const std::uint64_t items = *r.array();
      w.array(items);
      for (std::uint64_t i = 0; i < items; ++i) {
        if (!copy_item(r, w)) return false;
      }
      return true;
    }
    case CborReader::Type::end:
      break;
  }
  return false;
}

// Whatever a reader accepts is what a writer writes. Returns whether it was accepted.
bool expect_canonical(ByteView bytes) {
  CborReader reader(bytes);
  const Result<ByteView> item = reader.skip();
  if (!item.ok()) return false;
  CborReader again(*item);
  Bytes copy;
  CborWriter writer(copy);
  if (!copy_item(again, writer)) return false;
  EXPECT_EQ(to_hex(copy), to_hex(*item));
  return true;
}

TEST(Cbor, EveryAcceptedFlipIsItsOwnCanonicalForm) {
  int accepted = 0;
  for (const Golden& golden : cases()) {
    test::for_each_flip(golden.bytes, [&](const Bytes& flipped, std::size_t) {
      accepted += expect_canonical(flipped);
    });
  }
  EXPECT_GT(accepted, 100);
}

TEST(Cbor, RandomBytesAreRefusedOrCanonical) {
  Random random(7);
  int accepted = 0;
  for (int i = 0; i < 20000; ++i) {
    Bytes bytes(1 + random.below(12));
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random.next());
    accepted += expect_canonical(bytes);
  }
  EXPECT_GT(accepted, 1000);
}

TEST(Cbor, SizesAreThoseOfWhatIsWritten) {
  for (const std::int64_t edge :
       {std::int64_t{0}, std::int64_t{23}, std::int64_t{24}, std::int64_t{255}, std::int64_t{256},
        std::int64_t{65535}, std::int64_t{65536}, std::int64_t{4294967295},
        std::int64_t{4294967296}, INT64_MAX}) {
    for (const std::int64_t value : {edge, -1 - edge}) {
      Bytes out;
      CborWriter(out).integer(value);
      EXPECT_EQ(cbor_size(value), out.size()) << value;
    }
  }
}

}  // namespace
}  // namespace dunlin
