// Sensor drivers in a running agent: one hangs in a read that the kernel does not end, one fails
// again and again, and the others know nothing of it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>

#include "tests/support/eventually.h"
#include "tests/support/fleet.h"
#include "tests/support/modbus_slave.h"
#include "tests/support/sys_tree.h"

namespace dunlin {
namespace {

using test::Fleet;
using test::Member;

constexpr const char* kThermometer = "bus/w1/devices/28-00000a/w1_slave";

std::string inputs(const test::SysTree& sys, const std::string& modbus) {
  const std::string root = "sys = \"" + sys.root() + "\"\n";
  const std::string often = "interval = \"50ms\"\n";
  return "[[input]]\ntype = \"w1\"\n" + often + root + "[[input]]\ntype = \"serial\"\nport = \"" +
         sys.path("ttyUSB0") + "\"\n" + "[[input]]\ntype = \"hwmon\"\n" + often + root +
         "[[input]]\ntype = \"iio\"\n" + often + root +
         "[[input]]\ntype = \"exec\"\nformat = \"number\"\nstream = \"soil\"\n" + often +
         "command = [\"echo\", \"12.5\"]\nfield = \"moisture:decimal(1):%\"\n" +
         "[[input]]\ntype = \"modbus\"\nurl = \"" + modbus + "\"\n" + often +
         "[[input.register]]\nfield = \"u:decimal(1):V\"\naddress = 4\n";
}

double down(const Member& member, const std::string& input) {
  return member.metric("dunlin_inputs_down{input=\"" + input + "\"}");
}

class Drivers : public ::testing::Test {
 protected:
  Drivers() {
    sys_.make_pipe(kThermometer);
    sys_.write("class/hwmon/hwmon0", {{"name", "board"}, {"in1_input", "5012"}});
    sys_.write("bus/iio/devices/iio:device0", {{"name", "bme280"}, {"in_temp_input", "21530"}});
  }
  // All of the good ones have so many readings more.
  static bool go_on(const Member& member, std::int64_t more) {
    const auto fewest = [&] {
      std::int64_t count = INT64_MAX;
      for (const char* stream : {"hwmon", "iio", "soil", "modbus"}) {
        count = std::min(count,
                         member.sql_integer("SELECT count(*) FROM stream_" + std::string(stream)));
      }
      return count;
    };
    const std::int64_t before = fewest();
    return test::eventually([&] { return fewest() >= before + more; });
  }

  test::SysTree sys_;
  test::ModbusSlaves slaves_{{1}};
};

TEST_F(Drivers, OneHangsOneFailsAndTheOthersGoOn) {
  DUNLIN_FLEET(fleet);
  fleet.add_gateway();
  Member& a = fleet.add_agent(
      "a", {.track_keys = "flush_interval = \"100ms\"\n", .more = inputs(sys_, slaves_.url())});
  DUNLIN_ASSERT_OK(fleet.start());
  ASSERT_TRUE(test::eventually([&] { return down(a, "w1") == 1 && down(a, "serial") == 1; }))
      << a.log();
  ASSERT_TRUE(test::eventually([&] { return a.events("input_hangs").size() == 1; })) << a.log();
  EXPECT_EQ(a.events("input_hangs")[0]["input"], "w1");
  EXPECT_GE(a.events("input_failed").size(), 2u);  // with pauses between
  for (const char* good : {"hwmon", "iio", "exec", "modbus"}) EXPECT_EQ(down(a, good), 0) << good;
  EXPECT_TRUE(go_on(a, 5)) << a.log();
  EXPECT_EQ(a.sql_integer("SELECT count(*) FROM stream_hwmon WHERE \"board.in1\" <> 5.012"), 0);
  EXPECT_EQ(a.sql_integer("SELECT count(*) FROM stream_iio WHERE \"bme280.temp\" <> 21.53"), 0);
  EXPECT_EQ(a.sql_integer("SELECT count(*) FROM stream_soil WHERE moisture <> 12.5"), 0);
  EXPECT_EQ(a.sql_integer("SELECT count(*) FROM stream_modbus WHERE u <> 100.4"), 0);

  // With the same configuration once more: what hangs is left behind, and its successor hangs too.
  DUNLIN_ASSERT_OK(a.reload());
  EXPECT_EQ(a.events("input_abandoned").size(), 1u);
  EXPECT_TRUE(go_on(a, 5)) << a.log();
  {
    // Both get an answer, the one before after its database was closed.
    const FileDescriptor answer(::open(sys_.path(kThermometer).c_str(), O_WRONLY | O_CLOEXEC));
    ASSERT_GE(answer.get(), 0);
  }
  EXPECT_TRUE(go_on(a, 5)) << a.log();

  // It stops while one hangs, and what the others said before is there.
  ASSERT_EQ(a.stop(), 0) << a.log();
  DUNLIN_ASSERT_OK(a.start());
  EXPECT_TRUE(go_on(a, 1)) << a.log();
  const std::int64_t before = a.readings();
  ASSERT_EQ(a.stop(), 0) << a.log();
  EXPECT_EQ(a.events("input_abandoned").size(), 2u);
  EXPECT_GE(a.readings(), before);
  ::unlink(sys_.path(kThermometer).c_str());
  sys_.write(kThermometer,
             "72 01 4b 46 7f ff 0e 10 57 : crc=57 YES\n72 01 4b 46 7f ff 0e 10 57 t=23125\n");
  DUNLIN_ASSERT_OK(a.start());
  EXPECT_TRUE(test::eventually([&] {
    return a.sql_integer("SELECT count(*) FROM stream_w1 WHERE \"28-00000a\" = 23.125") > 0;
  })) << a.log();
  ASSERT_EQ(a.stop(), 0);
}

}  // namespace
}  // namespace dunlin
