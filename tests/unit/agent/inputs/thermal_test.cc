#include "agent/inputs/thermal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/eventually.h"
#include "tests/support/fake_sink.h"
#include "tests/support/sys_tree.h"

namespace dunlin::agent {
namespace {

using ::testing::SizeIs;

class ThermalInputTest : public ::testing::Test {
 protected:
  void write(const std::string& name, std::string_view text) { sys_.write(name, text); }
  std::unique_ptr<Input> input() {
    return test::make_input("type = \"thermal\"\ninterval = \"10ms\"\nsys = \"" + sys_.root() +
                            "\"\n")
        .input;
  }
  test::SysTree sys_;
  test::FakeSink sink_;
};

TEST_F(ThermalInputTest, ZonesAndHwmon) {
  write("class/thermal/thermal_zone10/type", "gpu\n");
  write("class/thermal/thermal_zone10/temp", "-5250\n");
  write("class/thermal/thermal_zone2/type", "cpu-thermal\n");
  write("class/thermal/thermal_zone2/temp", "48312\n");
  write("class/thermal/thermal_zone3/type", "cpu-thermal\n");
  write("class/thermal/thermal_zone3/temp", "50000\n");
  write("class/thermal/thermal_zone4/type", "broken\n");
  write("class/thermal/thermal_zone4/temp", "warm\n");
  write("class/hwmon/hwmon0/name", "cpu_thermal\n");
  write("class/hwmon/hwmon0/temp1_input", "48312\n");
  write("class/hwmon/hwmon1/name", "nvme\n");
  write("class/hwmon/hwmon1/temp1_input", "30000\n");
  write("class/hwmon/hwmon1/temp1_label", "Composite 1\n");
  write("class/hwmon/hwmon1/temp2_input", "31000\n");
  test::InputRun run(sink_, input());
  ASSERT_TRUE(test::eventually([&] { return sink_.rows() >= 1; }));
  ASSERT_TRUE(run.stop().ok());
  EXPECT_EQ(sink_.lines().front(),
            "thermal 1700000000000000 cpu-thermal=48312 cpu-thermal_2=50000 gpu=-5250 "
            "nvme.Composite_1=30000 nvme.temp2=31000");
  EXPECT_EQ(sink_.batches().front().schema.fields[0],
            (Field{"cpu-thermal", FieldType::decimal, "Cel", 3}));
}

TEST_F(ThermalInputTest, WithoutSensorsItReportsOnceAndStopsAtOnce) {
  test::InputRun run(sink_, input());
  ASSERT_TRUE(test::eventually([&] { return !sink_.reports().empty(); }));
  EXPECT_TRUE(run.stop().ok());
  EXPECT_THAT(sink_.reports(), SizeIs(1));
  EXPECT_EQ(sink_.rows(), 0u);
}

}  // namespace
}  // namespace dunlin::agent
