// Images boot, enrol, sample and replicate; a power cut loses nothing that was on the disk.
#include <sys/stat.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/firmware/firmware.h"

namespace dunlin::test {
namespace {

using Clock = std::chrono::steady_clock;

class Boot : public Firmware, public ::testing::WithParamInterface<std::string> {
 protected:
  void SetUp() override { begin(GetParam()); }
};

TEST_P(Boot, EnrolsWithItsBundleAndReplicates) {
  ASSERT_TRUE(build_image({"--bundle", bundle("device")}));
  const auto began = Clock::now();
  DUNLIN_ASSERT_OK(machine_->start());
  ASSERT_TRUE(eventually([&] { return has_readings(1); }, kBoot)) << explain();
  const std::chrono::duration<double> took = Clock::now() - began;
  std::printf("%s: first reading at the gateway after %.1f s\n", GetParam().c_str(), took.count());
  EXPECT_EQ(device()["name"], "device");
  EXPECT_TRUE(eventually([&] { return readings() > 100; }, kBoot)) << explain();
  EXPECT_EQ(machine_->console().find("PRIVATE KEY"), std::string::npos);

  machine_->cut_power();
  const std::int64_t on_disk = machine_->readings_on_disk(folder_).value();
  EXPECT_GT(on_disk, 0);
  DUNLIN_ASSERT_OK(machine_->start());
  EXPECT_TRUE(eventually([&] { return readings() > on_disk; }, kBoot)) << explain();
  EXPECT_EQ(epochs(), 1) << explain();
}

// A line that QEMU's power button pulls. With ACPI, the 64-bit machine has no GPIO.
TEST_P(Boot, CountsTheEdgesOfALine) {
  if (GetParam() == "x86_64-pc") GTEST_SKIP() << "QEMU's PC has no GPIO";
  // The kernel of armhf keeps that line for itself: there it is the next one, which nobody pulls.
  const bool pulled = GetParam() == "qemu-arm64";
  const std::string monitor = folder_.file("monitor");
  for (const char* end : {".in", ".out"}) ASSERT_EQ(::mkfifo((monitor + end).c_str(), 0600), 0);
  settings_ =
      "[[input]]\ntype = \"gpio\"\nchip = \"/dev/gpiochip0\"\ninterval = \"1s\"\n"
      "[input.lines]\nbutton = \"" +
      std::string(pulled ? "3" : "4") + "\"\n";
  ASSERT_TRUE(build_image({"--bundle", bundle("device")}));
  DUNLIN_ASSERT_OK(machine_->start({"--", "-machine", "acpi=off", "-chardev",
                                    "pipe,id=monitor,path=" + monitor, "-mon", "monitor"}));
  const auto counted = [&](int times) {
    return eventually(
        [&] {
          return gateway_->sql_integer("SELECT max(button) FROM stream_gpio WHERE button >= 0") ==
                     times &&
                 gateway_->sql_integer("SELECT count(button) FROM stream_gpio") > 0;
        },
        kBoot);
  };
  ASSERT_TRUE(counted(0)) << explain();
  std::ofstream press(monitor + ".in");
  for (int times = 1; pulled && times <= 3; ++times) {
    press << "system_powerdown" << std::endl;
    ASSERT_TRUE(counted(times)) << times << explain();
  }
}

INSTANTIATE_TEST_SUITE_P(Profiles, Boot, ::testing::Values("qemu-arm64", "qemu-armhf", "x86_64-pc"),
                         [](const auto& each) {
                           const std::size_t last = each.param.find_last_of("-");
                           return each.param.substr(last + 1);
                         });

}  // namespace
}  // namespace dunlin::test
