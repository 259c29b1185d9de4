// A data partition that other files fill: the device goes on with what room there is.
#include <nlohmann/json.hpp>

#include "tests/firmware/firmware.h"

namespace dunlin::test {
namespace {

constexpr std::uint64_t kMinFree = 8 << 20;  // of the class
constexpr std::uint64_t kWal = 256 << 10;    // how far the agent lets that of SQLite grow
constexpr std::int64_t kBurst = 400'000;

class FullDisk : public Firmware {
 protected:
  // Each boot begins with a burst of readings, which take 5 MB or so.
  void SetUp() override {
    begin("qemu-arm64");
    if (IsSkipped() || HasFatalFailure()) return;
    settings_ +=
        "[[input]]\ntype = \"model\"\nstream = \"burst\"\nseed = 2\nspeed = 0\nreadings = " +
        std::to_string(kBurst) + "\n";
    ASSERT_TRUE(build_image({"--bundle", bundle("device")}));
  }
  // What the gateway knows of the one log of the device's samples.
  nlohmann::json log() const {
    const auto all = logs();
    return all.size() == 1 ? all[0] : nlohmann::json::object();
  }
  std::int64_t live() const {
    return gateway_->sql_integer("SELECT count(*) FROM stream_greenhouse_model");
  }
  bool says(const std::string& what) const {
    return machine_->console().find(what) != std::string::npos;
  }
};

TEST_F(FullDisk, WhatIsOldestMakesRoomAndIsTold) {
  broker_.kill(SIGKILL);
  ASSERT_TRUE(broker_.wait(std::chrono::seconds(5)));
  DUNLIN_ASSERT_OK(machine_->leave_free(folder_, kMinFree + kWal + (2 << 20)));
  DUNLIN_ASSERT_OK(machine_->start());
  ASSERT_TRUE(
      eventually([&] { return says("event=entries_lost") && says("event=input_ended"); }, kBoot))
      << explain();
  // It samples on, and has told what it dropped.
  DUNLIN_ASSERT_OK(start_broker());
  ASSERT_TRUE(eventually([&] { return live() > 100 && log()["missing_entries"] == 0; }, kBoot))
      << explain();
  const std::int64_t lost = log()["lost_readings"];
  EXPECT_GT(lost, 0);
  EXPECT_GE(lost + readings(), kBurst);
  EXPECT_LT(lost, kBurst);
  EXPECT_EQ(log()["forked"], false);
  EXPECT_FALSE(says("event=readings_refused")) << explain();

  machine_->cut_power();
  EXPECT_GE(machine_->free_data().value(), kMinFree);
  const std::int64_t before = live();
  DUNLIN_ASSERT_OK(machine_->start());
  EXPECT_TRUE(
      eventually([&] { return live() > before + 100 && log()["missing_entries"] == 0; }, kBoot))
      << explain();
  EXPECT_EQ(log()["forked"], false);
}

// Which others alone can do: it leaves kMinFree.
TEST_F(FullDisk, ToTheLastByteItWaitsForRoom) {
  DUNLIN_ASSERT_OK(machine_->start());
  ASSERT_TRUE(eventually([&] { return has_readings(kBurst + 100); }, kBoot)) << explain();
  machine_->cut_power();
  DUNLIN_ASSERT_OK(machine_->leave_free(folder_, 0));
  DUNLIN_ASSERT_OK(machine_->start());
  ASSERT_TRUE(eventually([&] { return says("ended with code 1; again in 4 s"); }, kBoot))
      << explain();
  machine_->cut_power();
  DUNLIN_ASSERT_OK(machine_->leave_free(folder_, 64 << 20));
  const std::int64_t before = live();
  DUNLIN_ASSERT_OK(machine_->start());
  EXPECT_TRUE(eventually([&] { return live() > before + 100; }, kBoot)) << explain();
  EXPECT_EQ(epochs(), 1);
}

}  // namespace
}  // namespace dunlin::test
