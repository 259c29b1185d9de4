// Images boot, enrol, sample and replicate; a power cut loses nothing that was on the disk.
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

INSTANTIATE_TEST_SUITE_P(Profiles, Boot, ::testing::Values("qemu-arm64", "qemu-armhf", "x86_64-pc"),
                         [](const auto& each) {
                           const std::size_t last = each.param.find_last_of("-");
                           return each.param.substr(last + 1);
                         });

}  // namespace
}  // namespace dunlin::test
