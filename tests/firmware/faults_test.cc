// What happens to devices outdoors: power that fails at any moment, cards that rot, clocks that are
// not there, a second flashing.
#include <thread>

#include "cli/image/disk.h"
#include "cli/image/inspect.h"
#include "common/base/random.h"
#include "common/base/wall_clock.h"
#include "tests/firmware/firmware.h"
#include "tests/support/as_root.h"
#include "tests/support/loop_device.h"

namespace dunlin::test {
namespace {

class Faults : public Firmware {
 protected:
  void SetUp() override {
    begin("qemu-arm64");
    if (IsSkipped() || HasFatalFailure()) return;
    ASSERT_TRUE(build_image({"--bundle", bundle("device")}));
  }
  // So many more readings arrive than there are now.
  testing::AssertionResult goes_on(std::int64_t more) {
    const std::int64_t before = device().is_null() ? 0 : readings();
    if (eventually([&] { return has_readings(before + more); }, kBoot))
      return testing::AssertionSuccess();
    return testing::AssertionFailure() << explain();
  }
};

TEST_F(Faults, PowerCutsAtRandomMomentsLoseNothingThatWasOnTheDisk) {
  const char* chosen = std::getenv("DUNLIN_SEED");
  const std::uint64_t seed = chosen == nullptr ? 20261130 : std::strtoull(chosen, nullptr, 10);
  std::printf("DUNLIN_SEED=%llu\n", (unsigned long long)seed);
  Random random(seed);
  std::int64_t on_disk = 0, at_gateway = 0;
  for (int cut = 0; cut < 20; ++cut) {
    const std::size_t console = machine_->console().size();
    DUNLIN_ASSERT_OK(machine_->start());
    if (cut % 4 == 3) {
      // While it boots: at any moment of the first seconds of its kernel.
      ASSERT_TRUE(eventually([&] { return machine_->console().size() > console + 1000; }, kBoot));
      std::this_thread::sleep_for(std::chrono::milliseconds(random.below(5000)));
    } else {
      ASSERT_TRUE(eventually([&] { return has_readings(on_disk + 1); }, kBoot)) << explain();
      ASSERT_TRUE(goes_on(static_cast<std::int64_t>(random.below(80))));
    }
    // The gateway has what the device had synced.
    if (!device().is_null()) at_gateway = readings();
    machine_->cut_power();
    const auto now = machine_->readings_on_disk(folder_);
    ASSERT_TRUE(now.ok()) << now.error().message();
    EXPECT_GE(*now, on_disk) << "cut " << cut;
    EXPECT_GE(*now, at_gateway) << "cut " << cut;
    on_disk = *now;
  }
  DUNLIN_ASSERT_OK(machine_->start());
  EXPECT_TRUE(eventually([&] { return has_readings(on_disk + 1); }, kBoot)) << explain();
  EXPECT_EQ(epochs(), 1);
}

TEST_F(Faults, ADataPartitionBeyondRepairIsMadeAnew) {
  DUNLIN_ASSERT_OK(machine_->start());
  ASSERT_TRUE(goes_on(60));
  machine_->cut_power();
  const std::int64_t before = readings();
  DUNLIN_ASSERT_OK(machine_->spoil_data());
  DUNLIN_ASSERT_OK(machine_->start());
  ASSERT_TRUE(goes_on(60));
  EXPECT_NE(machine_->console().find("beyond repair"), std::string::npos) << explain();
  // The same device, in a new epoch; what the gateway had of it remains.
  EXPECT_EQ(epochs(), 2);
  EXPECT_GE(readings(), before + 60);
}

TEST_F(Faults, ADataPartitionThatCanBeRepairedKeepsItsReadings) {
  DUNLIN_ASSERT_OK(machine_->start());
  ASSERT_TRUE(goes_on(60));
  machine_->cut_power();
  const std::int64_t before = machine_->readings_on_disk(folder_).value();
  DUNLIN_ASSERT_OK(machine_->spoil_superblock());
  DUNLIN_ASSERT_OK(machine_->start());
  ASSERT_TRUE(goes_on(60));
  EXPECT_NE(machine_->console().find("data partition was repaired"), std::string::npos)
      << explain();
  EXPECT_EQ(epochs(), 1);
  machine_->cut_power();
  EXPECT_GE(machine_->readings_on_disk(folder_).value(), before + 60);
}

TEST_F(Faults, ACardIsUsedToItsEnd) {
  DUNLIN_AS_ROOT("makes loop devices");
  {
    const LoopDevice card(machine_->disk(), std::uint64_t{1} << 30);
    ASSERT_TRUE(card.there());
    ASSERT_TRUE(dunlin({"image", "write", image(), card.path(), "--yes", "--expand"}));
  }
  DUNLIN_ASSERT_OK(machine_->start());
  ASSERT_TRUE(goes_on(60));
  machine_->cut_power();
  const image::Layout layout = image::read_layout(image()).value();
  EXPECT_GT(machine_->free_data().value(), 2 * layout.size);
}

TEST_F(Faults, FlashedOnceMoreItOpensANewEpoch) {
  DUNLIN_ASSERT_OK(machine_->start());
  ASSERT_TRUE(goes_on(60));
  machine_->cut_power();
  const std::int64_t before = readings();
  machine_->new_disk();
  DUNLIN_ASSERT_OK(machine_->start());
  ASSERT_TRUE(goes_on(60));
  EXPECT_EQ(epochs(), 2);
  EXPECT_GE(readings(), before + 60);
}

// Nobody answers its NTP here either: it learns the time from the gateway.
TEST_F(Faults, WithoutAClockReadingsGetTheirTimes) {
  DUNLIN_ASSERT_OK(machine_->start({"--no-clock"}));
  ASSERT_TRUE(goes_on(100));
  const std::string of_device = " FROM samples WHERE node = '" + device().value("node", "") + "'";
  EXPECT_TRUE(eventually([&] {
    return gateway_->sql_integer("SELECT min(time) > 1700000000000000 AND count(time) = count(*)" +
                                 of_device) == 1;
  })) << gateway_->sql_integer("SELECT min(time)" + of_device);
}

TEST_F(Faults, AClockBehindTheImageIsNotBelieved) {
  const auto inspected = image::inspect(image());
  ASSERT_TRUE(inspected.ok());
  const UtcMicros day_before = (inspected->slots.at(0).manifest.time - 86'400) * 1'000'000;
  DUNLIN_ASSERT_OK(machine_->start({"--", "-rtc", "base=" + utc_text(day_before).substr(0, 10)}));
  ASSERT_TRUE(goes_on(60));
  EXPECT_NE(machine_->console().find("time=1970-01-02T"), std::string::npos) << explain();
}

// Readings of the time in which nobody listens arrive later, also when the power fails meanwhile.
TEST_F(Faults, ABrokerThatIsAwayCostsNothing) {
  DUNLIN_ASSERT_OK(machine_->start());
  ASSERT_TRUE(goes_on(60));
  broker_.kill(SIGKILL);
  ASSERT_TRUE(broker_.wait(std::chrono::seconds(5)));
  const std::int64_t before = readings();
  ASSERT_TRUE(eventually([&] { return machine_->readings_on_disk(folder_).value() > before + 100; },
                         kBoot));
  machine_->cut_power();
  const std::int64_t on_disk = machine_->readings_on_disk(folder_).value();
  EXPECT_GT(on_disk, before + 100);
  DUNLIN_ASSERT_OK(start_broker());
  DUNLIN_ASSERT_OK(machine_->start());
  EXPECT_TRUE(eventually([&] { return has_readings(on_disk + 1); }, kBoot)) << explain();
  EXPECT_EQ(epochs(), 1);
}

}  // namespace
}  // namespace dunlin::test
