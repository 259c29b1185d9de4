// Hours of a device in minutes: its clock goes by the instructions that it executes, and a timer
// that it waits for is due at once.
#include <ctime>
#include <nlohmann/json.hpp>

#include "cli/image/files.h"
#include "tests/firmware/firmware.h"

namespace dunlin::test {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kDay = 86'400;
constexpr std::int64_t kReadings = kDay / 10;
constexpr std::chrono::minutes kLong{20};

// Options of QEMU for such a clock, which begins then.
std::vector<std::string> quick(std::time_t from) {
  char text[32];
  std::tm utc{};
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", ::gmtime_r(&from, &utc));
  // It would be minutes of its own until this machine's disk has written.
  return {"--",
          "-icount",
          "shift=3,sleep=off",
          "-rtc",
          "clock=vm,base=" + std::string(text),
          "-set",
          "drive.disk.cache=unsafe"};
}

class VirtualClock : public Firmware {
 protected:
  void SetUp() override {
    begin("qemu-arm64");
    if (IsSkipped() || HasFatalFailure()) return;
    // Signing is most of its work: an entry a minute.
    profiles_ = folder_.file("profiles");
    fs::copy(std::string(DUNLIN_SOURCE_DIR) + "/firmware-profiles", profiles_,
             fs::copy_options::recursive);
    const std::string profile = profiles_ + "/qemu-arm64/profile.toml";
    std::string text = text_of(profile);
    const std::string was = "flush_interval = \"5s\"";
    ASSERT_NE(text.find(was), std::string::npos);
    DUNLIN_ASSERT_OK(image::write_file(
        profile, text.replace(text.find(was), was.size(), "flush_interval = \"60s\"")));
    settings_ = "[[input]]\ntype = \"model\"\nseed = 1\nperiod = \"10s\"\nreadings = " +
                std::to_string(kReadings) + "\n";
    ASSERT_TRUE(build_image({"--bundle", bundle("device")}));
  }
};

TEST_F(VirtualClock, ABrokerThatIsAwayForADayCostsNothing) {
  broker_.kill(SIGKILL);
  ASSERT_TRUE(broker_.wait(std::chrono::seconds(5)));
  DUNLIN_ASSERT_OK(machine_->start(quick(std::time(nullptr) - kDay)));
  ASSERT_TRUE(eventually(
      [&] {
        return machine_->console().find("event=input_ended input=model") != std::string::npos;
      },
      kLong))
      << explain();
  EXPECT_GE(machine_->readings_on_disk(folder_).value(), kReadings);
  const auto size = fs::file_size(folder_.file("data") + "/agent/log.db");
  std::printf("a day of the device: %llu bytes in its database\n", (unsigned long long)size);
  EXPECT_LT(size, 4U << 20);

  // Its clock goes on like that, and is ahead by the time that it takes to tell all.
  DUNLIN_ASSERT_OK(start_broker());
  const std::string all = " FROM stream_greenhouse_model";
  EXPECT_TRUE(eventually(
      [&] { return gateway_->sql_integer("SELECT count(*)" + all) == kReadings; }, kBoot))
      << explain();
  EXPECT_EQ(epochs(), 1);
  EXPECT_EQ(gateway_->sql_integer("SELECT count(DISTINCT time)" + all), kReadings);
  EXPECT_EQ(gateway_->sql_integer("SELECT (max(time) - min(time) + 5000000) / 10000000" + all),
            kReadings - 1);
}

// Files of others take all room, so that the agent cannot start.
TEST_F(VirtualClock, HalfAnHourWithoutAnAgentEndsByTheWatchdog) {
  DUNLIN_ASSERT_OK(machine_->leave_free(folder_, 0));
  DUNLIN_ASSERT_OK(machine_->start(quick(std::time(nullptr))));
  const auto starts = [&] {
    const std::string text = machine_->console(), mark = "U-Boot 20";
    std::size_t count = 0;
    for (std::size_t at = 0; (at = text.find(mark, at)) != std::string::npos; ++at) ++count;
    return count;
  };
  EXPECT_TRUE(eventually([&] { return starts() > 1; }, kLong)) << explain();
}

}  // namespace
}  // namespace dunlin::test
