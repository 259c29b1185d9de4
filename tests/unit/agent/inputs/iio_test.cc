#include "agent/inputs/iio.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/eventually.h"
#include "tests/support/fake_sink.h"
#include "tests/support/sys_tree.h"

namespace dunlin::agent {
namespace {

class IioInputTest : public ::testing::Test {
 protected:
  std::string first_line(const std::string& keys = "") {
    test::InputRun run(sink_, test::make_input("type = \"iio\"\ninterval = \"10ms\"\nsys = \"" +
                                               sys_.root() + "\"\n" + keys)
                                  .input);
    EXPECT_TRUE(test::eventually([&] { return sink_.rows() >= 1; }));
    EXPECT_TRUE(run.stop().ok());
    return sink_.rows() > 0 ? sink_.lines().front() : "";
  }
  Field field(const std::string& name) {
    const auto fields = sink_.batches().front().schema.fields;
    for (const Field& each : fields) {
      if (each.name == name) return each;
    }
    return {};
  }
  test::SysTree sys_;
  test::FakeSink sink_;
};

// As a BME280 on a Raspberry Pi shows itself.
TEST_F(IioInputTest, ProcessedValuesComeInTheirUnits) {
  sys_.write("bus/iio/devices/iio:device0", {{"name", "bme280"},
                                             {"in_humidityrelative_input", "45123"},
                                             {"in_humidityrelative_oversampling_ratio", "16"},
                                             {"in_pressure_input", "101.325390625"},
                                             {"in_temp_raw", "99"},
                                             {"in_temp_input", "21530"}});
  EXPECT_EQ(first_line(),
            "iio 1700000000000000 bme280.humidityrelative=45123 bme280.pressure=101325391 "
            "bme280.temp=21530");
  EXPECT_EQ(field("bme280.humidityrelative"),
            (Field{"bme280.humidityrelative", FieldType::decimal, "%", 3}));
  EXPECT_EQ(field("bme280.pressure"), (Field{"bme280.pressure", FieldType::decimal, "Pa", 3}));
  EXPECT_EQ(field("bme280.temp"), (Field{"bme280.temp", FieldType::decimal, "Cel", 3}));
}

TEST_F(IioInputTest, NamesFollowTheDevice) {
  const std::string device = "devices/i2c-1/1-0049/iio:device0";
  sys_.write(device, {{"name", "ads1015"}, {"in_temp_input", "21530"}});
  sys_.link("bus/iio/devices/iio:device0", device);
  EXPECT_EQ(first_line("[input.names]\n\"1-0048\" = \"inlet\"\n\"1-0049\" = \"outlet\"\n"),
            "iio 1700000000000000 outlet.temp=21530");
  ASSERT_FALSE(sink_.reports().empty());
  EXPECT_THAT(sink_.reports()[0].error.context, testing::HasSubstr("\"inlet\" is not there"));
}

TEST_F(IioInputTest, RawValuesAreScaledByWhatHoldsForThem) {
  sys_.write("bus/iio/devices/iio:device1", {{"name", "ads1015"},
                                             {"in_voltage0_raw", "1024"},
                                             {"in_voltage0_scale", "3.000000000"},
                                             {"in_voltage0_label", "battery"},
                                             {"in_voltage1_raw", "-7"},
                                             {"in_voltage_scale", "0.805664062"},
                                             {"in_voltage0-voltage1_raw", "10"},
                                             {"in_voltage-voltage_scale", "2"},
                                             {"in_temp_raw", "-100"},
                                             {"in_temp_offset", "-1234.5"},
                                             {"in_temp_scale", "-2.5"}});
  // By type, and with an axis; a twin of the name.
  sys_.write("bus/iio/devices/iio:device2", {{"name", "ads1015"},
                                             {"in_accel_x_raw", "-256"},
                                             {"in_accel_y_raw", "0"},
                                             {"in_accel_scale", "0.038307"},
                                             {"in_rot_quaternion_raw", "1 2 3 4"},
                                             {"in_intensity_both_raw", "17"},
                                             {"in_scale", "0.5"},
                                             {"out_voltage0_raw", "5"}});
  EXPECT_EQ(first_line(),
            "iio 1700000000000000 ads1015.temp=3336 ads1015.voltage0-voltage1=20000 "
            "ads1015.battery=3072000 ads1015.voltage1=-5640 ads1015_2.accel_x=-9806592 "
            "ads1015_2.accel_y=0 ads1015_2.intensity_both=8.5");
  EXPECT_EQ(field("ads1015.battery"), (Field{"ads1015.battery", FieldType::decimal, "V", 6}));
  EXPECT_EQ(field("ads1015_2.accel_x"),
            (Field{"ads1015_2.accel_x", FieldType::decimal, "m/s2", 6}));
  EXPECT_EQ(field("ads1015_2.intensity_both").type, FieldType::float64);
  EXPECT_TRUE(sink_.reports().empty());
}

TEST_F(IioInputTest, WhatDoesNotReadIsMissing) {
  sys_.write("bus/iio/devices/iio:device0", {{"name", "x"},
                                             {"in_voltage0_raw", "12"},
                                             {"in_voltage1_raw", "twelve"},
                                             {"in_voltage2_raw", "9223372036854775807"},
                                             {"in_voltage2_scale", "9223372036854775807"}});
  EXPECT_EQ(first_line(), "iio 1700000000000000 x.voltage0=12000");
  ASSERT_GE(sink_.reports().size(), 2u);
  EXPECT_EQ(sink_.reports()[0].error.code, Errc::malformed);
  EXPECT_EQ(sink_.reports()[1].error.code, Errc::too_large);
}

TEST(IioValue, IsExact) {
  const auto value = [](const char* raw, const char* offset, const char* scale, int shift) {
    return IioValue{*parse_decimal(raw), *parse_decimal(offset), *parse_decimal(scale), shift};
  };
  EXPECT_EQ(to_mantissa(value("4095", "0", "0.805664062", 3), 6), 3'299'194);
  EXPECT_EQ(to_mantissa(value("5", "0", "0.1", 0), 0), 1);  // 0.5, away from zero
  EXPECT_EQ(to_mantissa(value("-5", "0", "0.1", 0), 0), -1);
  EXPECT_EQ(to_mantissa(value("49999", "0", "0.00001", 0), 0), 0);
  EXPECT_EQ(to_mantissa(value("8388607", "0.000000001", "0.000000298", 3), 9), 2'499'805);
  EXPECT_EQ(to_mantissa(value("100", "0", "1", -3), 3), 100'000'000);
  EXPECT_EQ(to_mantissa(value("0", "0", "0", -3), 18), 0);
  // Beyond 64 bits.
  EXPECT_EQ(to_mantissa(value("2000000001", "-0.123456789", "0.500000001", 3), 6),
            1'000'000'002'438);
  EXPECT_EQ(to_mantissa(value("-2000000001", "0.123456789", "0.500000001", 3), 6),
            -1'000'000'002'438);
  EXPECT_EQ(to_mantissa(value("9223372036854775807", "1", "1", 0), 0), std::nullopt);
}

}  // namespace
}  // namespace dunlin::agent
