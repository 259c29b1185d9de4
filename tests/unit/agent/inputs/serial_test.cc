#include "agent/inputs/serial.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/inputs/serial_port.h"
#include "tests/support/eventually.h"
#include "tests/support/fake_sink.h"
#include "tests/support/pty.h"

namespace dunlin::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SerialInputTest : public ::testing::Test {
 protected:
  std::unique_ptr<Input> input(const std::string& keys) {
    return test::make_input("type = \"serial\"\nport = \"" + line_.path() + "\"\n" + keys).input;
  }
  // Says it again until it is heard: what comes before the line is opened, and the first line, are
  // passed over.
  bool say_until_heard(std::string_view text, std::size_t rows) {
    return test::eventually([&] { return line_.say(text) && sink_.rows() >= rows; });
  }
  test::Pty line_;
  test::FakeSink sink_;
};

TEST_F(SerialInputTest, NumbersOfOneField) {
  test::InputRun run(sink_, input("baud = 19200\nmode = \"7E2\"\nformat = \"number\"\n"
                                  "field = \"distance:decimal(2):m\"\nstream = \"well\"\n"));
  ASSERT_TRUE(say_until_heard("12.5\r\n", 1));
  EXPECT_EQ(sink_.lines().front(), "well 1700000000000000 distance=1250");
  EXPECT_EQ(sink_.batches().front().schema.fields[0],
            (Field{"distance", FieldType::decimal, "m", 2}));
  ASSERT_TRUE(line_.say("\nNaN\nfar\n-0.5\n"));
  ASSERT_TRUE(test::eventually(
      [&] { return sink_.lines().back() == "well 1700000000000000 distance=-50"; }));
  EXPECT_TRUE(run.stop().ok());
  ASSERT_EQ(sink_.reports().size(), 1u);
  EXPECT_THAT(sink_.reports()[0].error.context, HasSubstr("\"far\" is not a decimal"));
  EXPECT_THAT(sink_.reports()[0].where, HasSubstr(line_.path() + ":"));
}

TEST_F(SerialInputTest, TheEndOfALineIsNoLine) {
  ASSERT_TRUE(line_.say("7\n8\n"));  // long before
  test::InputRun run(sink_, input("baud = 19200\nformat = \"number\"\n"));
  ASSERT_TRUE(test::eventually([&] { return line_.speed() == B19200; }));
  ASSERT_TRUE(line_.say("5\n23\n"));  // of 21.5, perhaps
  ASSERT_TRUE(test::eventually([&] { return sink_.rows() >= 1; }));
  EXPECT_TRUE(run.stop().ok());
  EXPECT_THAT(sink_.lines(), ElementsAre("serial 1700000000000000 value=23"));
  EXPECT_THAT(sink_.reports(), IsEmpty());
}

TEST_F(SerialInputTest, UnpluggedIsAnErrorAndPluggedAgainItGoesOn) {
  auto made = input("format = \"line_protocol\"\n");
  {
    test::InputRun run(sink_, std::move(made));
    ASSERT_TRUE(say_until_heard("gps,fix=t lat=52.5,lon=13.4\n", 1));
    line_.unplug();
    const Result<void> result = run.wait();
    ASSERT_FALSE(result.ok());
    EXPECT_THAT(result.error().message(), HasSubstr(line_.path()));
  }
  EXPECT_EQ(sink_.lines().front(), "gps 1700000000000000 fix='t' lat=52.5 lon=13.4");
  test::InputRun nobody(sink_, input(""));
  EXPECT_FALSE(nobody.wait().ok());
}

TEST_F(SerialInputTest, AnEndlessLineIsBounded) {
  test::InputRun run(sink_, input(""));
  ASSERT_TRUE(say_until_heard("{\"a\":1}\n", 1));
  for (int i = 0; i < 70; ++i) ASSERT_TRUE(line_.say(std::string(1024, 'x')));
  ASSERT_TRUE(test::eventually([&] { return sink_.reports().size() == 1; }));
  EXPECT_EQ(sink_.reports()[0].error.code, Errc::too_large);
  const std::size_t before = sink_.rows();
  ASSERT_TRUE(line_.say("\n{\"a\":2}\n"));
  EXPECT_TRUE(test::eventually([&] { return sink_.rows() > before; }));
  EXPECT_TRUE(run.stop().ok());
}

TEST(SerialPort, KeysAreChecked) {
  EXPECT_THAT(test::make_input("type = \"serial\"\nport = \"/dev/null\"\nmode = \"8N3\"\n"
                               "baud = 9601\n")
                  .mistakes,
              ElementsAre(HasSubstr("9601 is none of the usual speeds"),
                          HasSubstr("should be such as \"8N1\"")));
  EXPECT_THAT(test::make_input("type = \"serial\"\n").mistakes, ElementsAre(HasSubstr("port")));
}

TEST(SerialPort, WhatIsNoSerialLineIsAnError) {
  SerialPort port;
  port.path = "/dev/null";
  EXPECT_THAT(port.open().error().context, HasSubstr("/dev/null: "));
  port.path = "/nowhere/ttyUSB0";
  EXPECT_FALSE(port.open().ok());
}

}  // namespace
}  // namespace dunlin::agent
