// What hangs on a device is read inside its image: drivers of the kernel are loaded for it, and the
// agent may use it.
#include <nlohmann/json.hpp>

#include "tests/firmware/firmware.h"
#include "tests/support/modbus_slave.h"
#include "tests/support/pty.h"

namespace dunlin::test {
namespace {

// Sockets on which somebody may call the device; the busybox of an image has no netstat.
constexpr const char* kOpenPorts = R"(
[[input]]
type = "exec"
command = ["/bin/sh", "-c", '''
open=0
for each in tcp tcp6 udp udp6; do
  while read -r _ _ _ state _; do
    case $each,$state in tcp*,0A | udp*,07) open=$((open + 1)) ;; esac
  done </proc/net/$each
done
echo "{\"open\": $open}"
''']
interval = "1s"
stream = "ports"
format = "json"
)";

constexpr const char* kSensors = R"(
[[input]]
type = "hwmon"
interval = "1s"
stream = "chips"

[[input]]
type = "modbus"
port = "/dev/ttyUSB0"
timeout = "5s"
interval = "1s"
stream = "meter"
[[input.register]]
field = "voltage:decimal(1):V"
address = 4

[[input]]
type = "serial"
port = "/dev/ttyUSB1"
stream = "scale"
format = "json"
)";

class Drivers : public Firmware, public ::testing::WithParamInterface<std::string> {
 protected:
  void SetUp() override { begin(GetParam()); }
  testing::AssertionResult reads(const std::string& stream, const std::string& field,
                                 std::int64_t value) {
    const std::string query =
        "SELECT count(*) FROM stream_" + stream + " WHERE " + field + " = " + std::to_string(value);
    if (eventually([&] { return gateway_->sql_integer(query) > 0; }, kBoot))
      return testing::AssertionSuccess();
    return testing::AssertionFailure() << query << "\n" << explain();
  }
};

TEST_P(Drivers, ReadWhatIsPluggedIn) {
  const auto meter = ModbusSlaves::on_a_line({1});
  const Pty scale;
  settings_ = std::string(kOpenPorts) + kSensors;
  ASSERT_TRUE(build_image({"--bundle", bundle("device")}));
  DUNLIN_ASSERT_OK(machine_->start({"--", "-device", "nvme,serial=1", "-device", "qemu-xhci",
                                    "-chardev", "serial,id=meter,path=" + meter->path(), "-device",
                                    "usb-serial,chardev=meter,port=1", "-chardev",
                                    "serial,id=scale,path=" + scale.path(), "-device",
                                    "usb-serial,chardev=scale,port=2"}));
  EXPECT_TRUE(reads("meter", "voltage * 10", 1004));
  EXPECT_TRUE(reads("chips", "\"nvme.Composite\" > 0 AND 1", 1));
  EXPECT_TRUE(eventually(
      [&] {
        EXPECT_TRUE(scale.say("{\"grams\": 1250}\n"));
        return gateway_->sql_integer("SELECT count(*) FROM stream_scale WHERE grams = 1250") > 0;
      },
      kBoot))
      << explain();
  EXPECT_TRUE(reads("ports", "open", 0));
  EXPECT_EQ(gateway_->sql_integer("SELECT count(*) FROM stream_ports WHERE open <> 0"), 0);
}

INSTANTIATE_TEST_SUITE_P(Profiles, Drivers,
                         ::testing::Values("qemu-arm64", "qemu-armhf", "x86_64-pc"),
                         [](const auto& each) {
                           return each.param.substr(each.param.find_last_of('-') + 1);
                         });

}  // namespace
}  // namespace dunlin::test
