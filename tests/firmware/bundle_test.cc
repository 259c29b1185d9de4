// What becomes of a bundle that somebody puts on the boot slot of a device that is a member
// already.
#include <nlohmann/json.hpp>

#include "cli/image/command.h"
#include "tests/firmware/firmware.h"

namespace dunlin::test {
namespace {

class BundleOnItsBootSlot : public Firmware {
 protected:
  void SetUp() override {
    begin("qemu-arm64");
    if (IsSkipped() || HasFatalFailure()) return;
    ASSERT_TRUE(build_image({"--bundle", bundle("device")}));
    run_once();
    node_ = device()["node"];
  }
  void put(const std::string& name) const {
    DUNLIN_ASSERT_OK(image::run(
        {{"mcopy", "-o", "-i", machine_->boot_slot(), bundle(name), "::device.bundle"}}));
  }
  // Until it sent so many more readings; returns what it said.
  std::string run_once() {
    const std::size_t said = machine_->console().size();
    const std::int64_t before = device().is_null() ? 0 : readings();
    EXPECT_TRUE(machine_->start().ok());
    EXPECT_TRUE(eventually([&] { return has_readings(before + 60); }, kBoot)) << explain();
    machine_->cut_power();
    return machine_->console().substr(said);
  }
  std::string node_;
};

TEST_F(BundleOnItsBootSlot, IsTakenWhenItLastsLonger) {
  ASSERT_TRUE(fleet({"device", "renew", bundle("device"), "--days", "7300"}));
  put("device");
  EXPECT_NE(run_once().find("event=bundle_installed"), std::string::npos) << explain();
  EXPECT_EQ(run_once().find("event=bundle_installed"), std::string::npos) << explain();
  EXPECT_EQ(epochs(), 1);
}

TEST_F(BundleOnItsBootSlot, IsLeftAloneWhenItIsOfAnotherDevice) {
  ASSERT_TRUE(fleet({"device", "add", "other", "--out", bundle("other")}));
  put("other");
  EXPECT_NE(run_once().find("bundle on the boot slot is not taken"), std::string::npos)
      << explain();
  EXPECT_EQ(device()["node"], node_);
  const std::string kept = folder_.file("kept");
  DUNLIN_ASSERT_OK(image::run({{"mcopy", "-i", machine_->boot_slot(), "::device.bundle", kept}}));
  EXPECT_EQ(text_of(kept), text_of(bundle("other")));
}

}  // namespace
}  // namespace dunlin::test
