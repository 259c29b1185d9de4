#include "agent/inputs/line_protocol.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/inputs/text.h"
#include "common/base/random.h"

namespace dunlin::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

Reading parsed(std::string_view line, TimeUnit precision = TimeUnit::nanos) {
  Reading reading;
  const auto result = parse_line(line, precision, reading);
  EXPECT_TRUE(result.ok()) << line << ": " << (result.ok() ? "" : result.error().message());
  return reading;
}

std::string error_of(std::string_view line) {
  Reading reading;
  const auto result = parse_line(line, TimeUnit::nanos, reading);
  EXPECT_FALSE(result.ok()) << line;
  return result.ok() ? "" : result.error().message();
}

TEST(LineProtocol, AllTypes) {
  const Reading reading = parsed(
      R"(weather,site=a,room=b\ c temp=21.5,n=-3i,u=7u,ok=t,no=False,note="a \"b\" \\ c, d=e" 1700000000123456789)");
  EXPECT_EQ(reading.stream, "weather");
  EXPECT_EQ(reading.time_us, 1'700'000'000'123'456);
  ASSERT_THAT(reading.values, SizeIs(8));
  EXPECT_EQ(reading.values[0].field, (Field{"site", FieldType::text, "", 0}));
  EXPECT_EQ(reading.values[1].text, "b c");
  EXPECT_EQ(reading.values[2].cell.real, 21.5);
  EXPECT_EQ(reading.values[2].field.type, FieldType::float64);
  EXPECT_EQ(reading.values[3].cell.integer, -3);
  EXPECT_EQ(reading.values[4].cell.integer, 7);
  EXPECT_EQ(reading.values[4].field.type, FieldType::int64);
  EXPECT_TRUE(reading.values[5].cell.boolean);
  EXPECT_FALSE(reading.values[6].cell.boolean);
  EXPECT_EQ(reading.values[7].text, R"(a "b" \ c, d=e)");
}

TEST(LineProtocol, EscapesAndOddNames) {
  const Reading reading = parsed(R"(we\,ather,t\=g=\x f\ 1=1)");
  EXPECT_EQ(reading.stream, "we_ather");
  EXPECT_EQ(reading.values[0].field.name, "t=g");
  EXPECT_EQ(reading.values[0].text, R"(\x)");
  EXPECT_EQ(reading.values[1].field.name, "f 1");
  EXPECT_EQ(reading.values[1].cell.real, 1.0);
  EXPECT_FALSE(reading.time_us);
}

TEST(LineProtocol, Precision) {
  EXPECT_EQ(parsed("m f=1 5", TimeUnit::seconds).time_us, 5'000'000);
  EXPECT_EQ(parsed("m f=1 5", TimeUnit::millis).time_us, 5'000);
  EXPECT_EQ(parsed("m f=1 5", TimeUnit::micros).time_us, 5);
  EXPECT_EQ(parsed("m f=1 -1500", TimeUnit::nanos).time_us, -2);
}

TEST(LineProtocol, EmptyLinesAndComments) {
  Reading reading;
  for (const char* line : {"", "   ", "# m f=1", "\r"}) {
    const auto result = parse_line(line, TimeUnit::nanos, reading);
    ASSERT_TRUE(result.ok()) << line;
    EXPECT_FALSE(result.value()) << line;
  }
}

TEST(LineProtocol, MistakesNameTheirColumn) {
  EXPECT_THAT(error_of("m"), HasSubstr("column 2: the fields are missing"));
  EXPECT_THAT(error_of(",t=1 f=1"), HasSubstr("column 1: the measurement is missing"));
  EXPECT_THAT(error_of("m f"), HasSubstr("column 4: an equals sign"));
  EXPECT_THAT(error_of("m f="), HasSubstr("column 5: the value of the field \"f\" is missing"));
  EXPECT_THAT(error_of("m f=x"), HasSubstr("column 5:"));
  EXPECT_THAT(error_of("m,t= f=1"), HasSubstr("column 5: the value of the tag"));
  EXPECT_THAT(error_of("m f=\"a"), HasSubstr("column 7: the quote of the field"));
  EXPECT_THAT(error_of("m f=\"a\"b"), HasSubstr("column 8: a blank"));
  EXPECT_THAT(error_of("m f=1 now"), HasSubstr("column 7: \"now\" is not a timestamp"));
  EXPECT_THAT(error_of("m f=1 5 6"), HasSubstr("is not a timestamp"));
  EXPECT_THAT(error_of(" m f=1"), HasSubstr("column 1: a line must not start with a blank"));
}

TEST(LineProtocol, NumbersThatDoNotFitAreRefused) {
  for (const char* value : {"9223372036854775808i", "18446744073709551615u", "-1u", "1.5i", "nan",
                            "inf", "1e999", "i", "u", "-", "0x1", "yes"}) {
    EXPECT_THAT(error_of(std::string("m f=") + value), HasSubstr("column 5")) << value;
  }
  EXPECT_EQ(parsed("m f=9223372036854775807u").values[0].cell.integer, INT64_MAX);
  EXPECT_THAT(error_of("m f=1 99999999999999999999"), HasSubstr("is not a timestamp"));
}

TEST(LineProtocol, InvalidUtf8IsRefusedAndMessagesStayShort) {
  EXPECT_THAT(error_of("m f=\"\xff\""), HasSubstr("not UTF-8"));
  EXPECT_THAT(error_of("m,t=\xc3 f=1"), HasSubstr("not UTF-8"));
  EXPECT_LT(error_of("m f=" + std::string(60'000, 'x')).size(), 300u);
  EXPECT_LT(error_of("m " + std::string(60'000, 'x')).size(), 300u);
}

TEST(LineProtocol, EveryTruncationAndFlippedByteIsSurvived) {
  const std::string line =
      R"(weather,site=a,room=b\ c temp=21.5,n=-3i,u=7u,ok=t,note="a \"b\" \\ c" 1700000000123456789)";
  std::size_t accepted = 0;
  const auto feed = [&](const std::string& text) {
    Reading reading;
    const auto result = parse_line(text, TimeUnit::nanos, reading);
    if (!result.ok()) {
      EXPECT_EQ(result.error().code, Errc::malformed);
      EXPECT_LT(result.error().context.size(), 300u);
      return;
    }
    if (!result.value()) return;
    ++accepted;
    EXPECT_FALSE(reading.values.empty()) << text;
    EXPECT_EQ(reading.stream, stream_name_from(reading.stream));
  };
  for (std::size_t n = 0; n <= line.size(); ++n) feed(line.substr(0, n));
  EXPECT_GT(accepted, 10u);
  Random random(11);
  for (int i = 0; i < 20'000; ++i) {
    std::string broken = line;
    for (std::uint64_t k = 0; k <= random.below(3); ++k) {
      broken[random.below(broken.size())] = static_cast<char>(random.below(256));
    }
    feed(broken);
  }
}

}  // namespace
}  // namespace dunlin::agent
