#include "agent/inputs/hwmon.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/eventually.h"
#include "tests/support/fake_sink.h"
#include "tests/support/sys_tree.h"

namespace dunlin::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class HwmonInputTest : public ::testing::Test {
 protected:
  std::string first_line(const std::string& keys = "") {
    test::InputRun run(sink_, test::make_input("type = \"hwmon\"\ninterval = \"10ms\"\nsys = \"" +
                                               sys_.root() + "\"\n" + keys)
                                  .input);
    EXPECT_TRUE(test::eventually([&] { return sink_.rows() >= 1; }));
    EXPECT_TRUE(run.stop().ok());
    return sink_.rows() > 0 ? sink_.lines().front() : "";
  }

  test::SysTree sys_;
  test::FakeSink sink_;
};

TEST_F(HwmonInputTest, EveryKindHasItsUnit) {
  sys_.write("class/hwmon/hwmon0", {{"name", "board"},
                                    {"fan1_input", "1200"},
                                    {"humidity1_input", "45250"},
                                    {"energy1_input", "7200000"},
                                    {"power1_average", "12500000"},
                                    {"power2_average", "1"},
                                    {"power2_input", "2"},
                                    {"curr1_input", "-350"},
                                    {"in0_input", "1048"},
                                    {"in0_label", "Vcore main"},
                                    {"in10_input", "3312"},
                                    {"in2_input", "12096"},
                                    {"temp1_input", "-5250"},
                                    {"temp1_max", "90000"}});
  EXPECT_EQ(first_line(),
            "hwmon 1700000000000000 board.temp1=-5250 board.Vcore_main=1048 board.in2=12096 "
            "board.in10=3312 board.curr1=-350 board.power1=12500000 board.power2=2 "
            "board.energy1=7200000 board.humidity1=45250 board.fan1=1200");
  const auto fields = sink_.batches().front().schema.fields;
  EXPECT_EQ(fields[0], (Field{"board.temp1", FieldType::decimal, "Cel", 3}));
  EXPECT_EQ(fields[1], (Field{"board.Vcore_main", FieldType::decimal, "V", 3}));
  EXPECT_EQ(fields[5], (Field{"board.power1", FieldType::decimal, "W", 6}));
  EXPECT_EQ(fields[9], (Field{"board.fan1", FieldType::int64, "/min", 0}));
}

TEST_F(HwmonInputTest, TwinsAreToldApartAndFaultyOnesAreMissing) {
  sys_.write("class/hwmon/hwmon0", {{"name", "lm75"}, {"temp1_input", "1"}, {"temp1_fault", "1"}});
  sys_.write("class/hwmon/hwmon1", {{"name", "lm75"},
                                    {"temp1_input", "2"},
                                    {"temp1_fault", "0"},
                                    {"temp1_label", "x"},
                                    {"temp2_input", "3"},
                                    {"temp2_label", "x"},
                                    {"temp3_input", ""}});
  EXPECT_EQ(first_line(), "hwmon 1700000000000000 lm75_2.x=2 lm75_2.x_2=3");
  EXPECT_TRUE(sink_.reports().empty());
}

// The one that is there keeps its name without its twin, wherever it is counted.
TEST_F(HwmonInputTest, NamesFollowTheDevice) {
  sys_.write("class/hwmon/hwmon0", {{"name", "lm75"}, {"temp1_input", "2"}});
  sys_.link("class/hwmon/hwmon0/device", "devices/i2c-1/1-0049");
  EXPECT_EQ(first_line("[input.names]\n\"1-0048\" = \"inlet\"\n\"1-0049\" = \"outlet\"\n"),
            "hwmon 1700000000000000 outlet.temp1=2");
  ASSERT_FALSE(sink_.reports().empty());
  EXPECT_THAT(sink_.reports()[0].where, HasSubstr("class/hwmon/1-0048"));
  EXPECT_THAT(sink_.reports()[0].error.context, HasSubstr("\"inlet\" is not there"));
}

TEST_F(HwmonInputTest, WhatFailsIsReportedAndTheOthersStay) {
  sys_.write("class/hwmon/hwmon0", {{"name", "a"}, {"in1_input", "oops"}, {"in2_input", "2"}});
  std::filesystem::create_directories(sys_.path("class/hwmon/hwmon0/in3_input"));  // EISDIR
  EXPECT_EQ(first_line("kinds = [\"in\"]\n"), "hwmon 1700000000000000 a.in2=2");
  ASSERT_GE(sink_.reports().size(), 2u);
  EXPECT_THAT(sink_.reports()[0].where, HasSubstr("in1_input"));
  EXPECT_EQ(sink_.reports()[0].error.code, Errc::malformed);
  EXPECT_THAT(sink_.reports()[1].where, HasSubstr("in3_input"));
  EXPECT_EQ(sink_.reports()[1].error.code, Errc::io);
}

TEST_F(HwmonInputTest, KindsAreChosen) {
  sys_.write("class/hwmon/hwmon0", {{"name", "a"}, {"in1_input", "1"}, {"fan1_input", "2"}});
  EXPECT_EQ(first_line("kinds = [\"fan\"]\n"), "hwmon 1700000000000000 a.fan1=2");
  EXPECT_THAT(test::make_input("type = \"hwmon\"\nkinds = [\"volts\"]\n").mistakes,
              ElementsAre(HasSubstr("\"volts\" is none of temp")));
}

}  // namespace
}  // namespace dunlin::agent
