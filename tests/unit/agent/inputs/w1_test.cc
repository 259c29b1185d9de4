#include "agent/inputs/w1.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/eventually.h"
#include "tests/support/fake_sink.h"
#include "tests/support/sys_tree.h"

namespace dunlin::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// As the kernel prints the memory of a DS18B20.
constexpr const char* kGood =
    "72 01 4b 46 7f ff 0e 10 57 : crc=57 YES\n72 01 4b 46 7f ff 0e 10 57 t=23125\n";
constexpr const char* kBadChecksum =
    "72 01 4b 46 7f ff 0e 10 57 : crc=2b NO\n72 01 4b 46 7f ff 0e 10 57 t=23125\n";
constexpr const char* kAfterReset =
    "50 05 4b 46 7f ff 0c 10 1c : crc=1c YES\n50 05 4b 46 7f ff 0c 10 1c t=85000\n";
constexpr const char* kBoiling =
    "50 05 4b 46 7f ff 10 10 60 : crc=60 YES\n50 05 4b 46 7f ff 10 10 60 t=85000\n";
constexpr const char* kStarved =
    "ff 07 4b 46 7f ff 0c 10 d7 : crc=d7 YES\nff 07 4b 46 7f ff 0c 10 d7 t=127937\n";
constexpr const char* kFrost =
    "5e ff 4b 46 7f ff 02 10 d0 : crc=d0 YES\n5e ff 4b 46 7f ff 02 10 d0 t=-10125\n";

TEST(W1Slave, TellsMeasurementsFromWhatIsNone) {
  const auto code = [](std::string_view text) { return parse_w1_slave(text).error().code; };
  EXPECT_EQ(parse_w1_slave(kGood).value(), 23125);
  EXPECT_EQ(parse_w1_slave(kFrost).value(), -10125);
  EXPECT_EQ(parse_w1_slave(kBoiling).value(), 85000);
  EXPECT_EQ(code(kBadChecksum), Errc::malformed);
  EXPECT_EQ(code(kAfterReset), Errc::not_connected);
  EXPECT_EQ(code(kStarved), Errc::not_connected);
  for (const char* text : {"", "\n", "YES\n", " : crc= YES\nt=", " : crc=1 YES\nt=x\n", "\nt=1\n"})
    EXPECT_EQ(code(text), Errc::malformed) << text;
}

class W1InputTest : public ::testing::Test {
 protected:
  std::unique_ptr<Input> input(const std::string& more = "") {
    return test::make_input("type = \"w1\"\ninterval = \"10ms\"\nsys = \"" + sys_.root() + "\"\n" +
                            more)
        .input;
  }
  test::SysTree sys_;
  test::FakeSink sink_;
};

TEST_F(W1InputTest, SensorsByNameOrId) {
  const std::string bus = "bus/w1/devices/";
  sys_.write(bus + "28-00000a/w1_slave", kGood);
  sys_.write(bus + "28-00000a/temperature", "99000\n");  // the other one tells more
  sys_.write(bus + "10-00000b/temperature", "19500\n");
  sys_.write(bus + "28-00000c/w1_slave", kBadChecksum);
  sys_.write(bus + "28-00000d/temperature", "85000\n");
  sys_.write(bus + "w1_bus_master1/w1_master_slave_count", "4\n");
  sys_.write(bus + "29-00000e/state", "1\n");
  test::InputRun run(sink_, input("[input.names]\n\"28-00000a\" = \"boiler\"\n"
                                  "\"28-00000f\" = \"cellar\"\n"));
  ASSERT_TRUE(test::eventually([&] { return sink_.rows() >= 1; }));
  ASSERT_TRUE(run.stop().ok());
  EXPECT_EQ(sink_.lines().front(), "w1 1700000000000000 10-00000b=19500 boiler=23125");
  EXPECT_EQ(sink_.batches().front().schema.fields[1],
            (Field{"boiler", FieldType::decimal, "Cel", 3}));
  const auto reports = sink_.reports();
  ASSERT_GE(reports.size(), 3u);
  EXPECT_THAT(reports[0].where, HasSubstr("28-00000c"));
  EXPECT_EQ(reports[0].error.code, Errc::malformed);
  EXPECT_THAT(reports[1].where, HasSubstr("28-00000d"));
  EXPECT_EQ(reports[1].error.code, Errc::not_connected);
  EXPECT_THAT(reports[2].where, HasSubstr("28-00000f"));
  EXPECT_EQ(reports[2].error.code, Errc::not_found);
}

TEST_F(W1InputTest, ASensorThatComesLaterIsAField) {
  sys_.write("bus/w1/devices/28-00000b/w1_slave", kGood);
  test::InputRun run(sink_, input());
  ASSERT_TRUE(test::eventually([&] { return sink_.rows() >= 1; }));
  sys_.write("bus/w1/devices/28-00000a/w1_slave", kFrost);
  ASSERT_TRUE(test::eventually([&] {
    return sink_.lines().back() == "w1 1700000000000000 28-00000b=23125 28-00000a=-10125";
  })) << sink_.lines().back();
  EXPECT_TRUE(run.stop().ok());
}

TEST(W1Input, NamesAreOfThermometers) {
  EXPECT_THAT(
      test::make_input("type = \"w1\"\n[input.names]\n\"boiler\" = \"28-00000a\"\n").mistakes,
      ElementsAre(HasSubstr("no thermometer")));
}

}  // namespace
}  // namespace dunlin::agent
