#include "agent/inputs/json_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace dunlin::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

JsonReader reader(const std::string& toml, const std::string& time = "") {
  auto document = config::Document::parse(toml, "test.toml", {});
  EXPECT_TRUE(document.ok());
  JsonReader out = JsonReader::from(document->root(), time);
  EXPECT_THAT(document->mistakes(), IsEmpty());
  return out;
}

std::string shown(const JsonReader& json, std::string_view text, bool wrapped = false) {
  Reading reading;
  reading.stream = "s";
  const auto result = json.read(text, wrapped, reading);
  if (!result.ok()) return result.error().message();
  std::string out = reading.stream;
  if (reading.time_us) out += " @" + std::to_string(*reading.time_us);
  for (const NamedValue& value : reading.values) {
    out += " " + value.field.name + ":" + std::string(to_string(value.field.type)) + "=";
    switch (value.cell.kind) {
      case Cell::Kind::missing:
        out += "-";
        break;
      case Cell::Kind::integer:
        out += std::to_string(value.cell.integer);
        break;
      case Cell::Kind::real:
        out += std::to_string(value.cell.real).substr(0, 6);
        break;
      case Cell::Kind::boolean:
        out += value.cell.boolean ? "true" : "false";
        break;
      case Cell::Kind::text:
        out += value.text;
        break;
    }
  }
  return out;
}

TEST(JsonReader, Zigbee2Mqtt) {
  EXPECT_EQ(
      shown(reader(""),
            R"({"battery":100,"contact":true,"humidity":45.2,"last_seen":"2026-01-01T00:00:00Z",
                     "linkquality":null,"temperature":21,"update":{"state":"idle"}})"),
      "s battery:double=100.00 contact:bool=true humidity:double=45.200 "
      "temperature:double=21.000 update.state:text=idle");
}

TEST(JsonReader, Tasmota) {
  EXPECT_EQ(shown(reader(""),
                  R"({"Time":"2026-01-01T00:00:00","AM2301":{"Temperature":21.5,"Humidity":40},
                     "TempUnit":"C"})"),
            "s AM2301.Temperature:double=21.500 AM2301.Humidity:double=40.000 TempUnit:text=C");
}

TEST(JsonReader, PlainValues) {
  EXPECT_EQ(shown(reader(""), "21.5"), "s value:double=21.500");
  EXPECT_EQ(shown(reader(""), "true"), "s value:bool=true");
  EXPECT_EQ(shown(reader(""), "[1,2]"), "s 0:double=1.0000 1:double=2.0000");
}

TEST(JsonReader, MappingsPickAndType) {
  const JsonReader json = reader(R"(
time = "Time"
[fields]
"AM2301.Temperature" = "temperature:decimal(2):Cel"
"/AM2301/Humidity" = "humidity:decimal(1):%"
count = "n:int64"
on = "on:bool"
note = "note"
"a.b" = "dotted:double"
)");
  EXPECT_EQ(
      shown(json, R"({"Time":"2026-01-01T00:00:00","AM2301":{"Temperature":21.5,"Humidity":40},
                            "count":7.0,"on":"ON","note":"x","other":1,"a.b":"2.5"})"),
      "s @1767225600000000 temperature:decimal=2150 humidity:decimal=400 n:int64=7 "
      "on:bool=true note:text=x dotted:double=2.5000");
  EXPECT_EQ(shown(json, R"({"count":null,"on":false})"), "s on:bool=false");
  EXPECT_THAT(shown(json, R"({"other":1})"), HasSubstr("without a value to take"));
  EXPECT_THAT(shown(json, R"({"count":7.5})"), HasSubstr("n: \"7.5\" does not fit"));
  EXPECT_THAT(shown(json, R"({"count":18446744073709551615})"), HasSubstr("64-bit integer"));
  EXPECT_THAT(shown(json, R"({"count":[1]})"), HasSubstr("no single value"));
  EXPECT_THAT(shown(json, R"({"AM2301":{"Temperature":1e300}})"), HasSubstr("does not fit"));
}

TEST(JsonReader, WrappedLinesNameTheirStream) {
  const JsonReader json = reader("", "time");
  EXPECT_EQ(shown(json, R"({"stream":"x y","time":5,"fields":{"a":1}})", true),
            "x_y @5 a:double=1.0000");
  EXPECT_EQ(shown(json, R"({"time":"2026-01-01T00:00:00Z","a":1})", true),
            "s @1767225600000000 a:double=1.0000");
  EXPECT_THAT(shown(json, R"({"stream":5,"fields":{"a":1}})", true), HasSubstr("no text"));
  EXPECT_THAT(shown(json, R"({"time":"soon","a":1})", true), HasSubstr("not a time"));
  EXPECT_THAT(shown(json, R"({"time":true,"a":1})", true), HasSubstr("neither"));
}

TEST(JsonReader, TimeFormats) {
  EXPECT_EQ(shown(reader("time_format = \"unix\"", "t"), R"({"t":1700000000.25,"a":1})"),
            "s @1700000000250000 a:double=1.0000");
  EXPECT_EQ(shown(reader("time_format = \"unix_ms\"", "t"), R"({"t":1700000000250,"a":1})"),
            "s @1700000000250000 a:double=1.0000");
}

TEST(JsonReader, ForeignBytesAreRefused) {
  const JsonReader json = reader("");
  for (const std::string& text :
       {std::string(), std::string("{"), std::string("{\"a\":1e999}"), std::string("{\"a\":NaN}"),
        std::string("{\"a\":\"\xff\"}"), std::string(50'000, '['), std::string("{}"),
        std::string("\"a\" 5"), std::string("\0\0", 2)}) {
    Reading reading;
    EXPECT_FALSE(json.read(text, true, reading).ok()) << text.substr(0, 20);
  }
  std::string deep = "1", many = "[1";
  for (int i = 0; i < 20; ++i) deep = "{\"a\":" + deep + "}";
  for (int i = 0; i < 400; ++i) many += ",1";
  EXPECT_THAT(shown(json, deep), HasSubstr("too_large"));
  EXPECT_THAT(shown(json, many + "]"), HasSubstr("too_large"));
}

TEST(JsonReader, EveryTruncationIsSurvived) {
  const std::string text =
      R"({"stream":"x","time":5,"fields":{"a":1.5,"b":"t\u00e4","c":[true,null]}})";
  const JsonReader json = reader("", "time");
  for (std::size_t n = 0; n < text.size(); ++n) {
    Reading reading;
    EXPECT_FALSE(json.read(text.substr(0, n), true, reading).ok()) << n;
  }
  Reading reading;
  ASSERT_TRUE(json.read(text, true, reading).ok());
  EXPECT_THAT(reading.values, SizeIs(3));
}

TEST(JsonReader, WrongMappingsAreMistakes) {
  auto document = config::Document::parse(
      "time_format = \"%Q\"\n[fields]\na = \"x:float\"\nb = \"\"\n", "test.toml", {});
  JsonReader::from(document->root(), "");
  EXPECT_THAT(document->mistakes(),
              ElementsAre(HasSubstr("test.toml:3: [fields] a: unknown field type"),
                          HasSubstr("test.toml:4: [fields] b: a field without a name"),
                          HasSubstr("test.toml:1: time_format")));
}

}  // namespace
}  // namespace dunlin::agent
