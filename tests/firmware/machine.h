#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/eventually.h"
#include "tests/support/fleet.h"

namespace dunlin::test {

// An emulated machine boots in seconds, and in many when others need the processor.
inline constexpr std::chrono::minutes kBoot{3};

// A device in QEMU, with a disk of its own that it keeps.
class Machine {
 public:
  Machine(const TempDir& folder, std::string image)
      : image_(std::move(image)),
        log_(folder.file("console.log")),
        disk_(folder.file("device.disk")) {}

  Result<void> start(std::vector<std::string> options = {});
  void cut_power();  // QEMU is gone, as a whole
  bool running() { return process_.running(); }
  std::string console() const;  // of all boots
  // Readings in its database, as its disk has them now; it must be off.
  Result<std::int64_t> readings_on_disk(const TempDir& folder) const;
  const std::string& disk() const { return disk_; }
  void new_disk() { std::filesystem::remove(disk_); }  // made from the image at the next start

 private:
  std::string image_, log_, disk_;
  ChildProcess process_;
};

// A broker and a gateway on this machine, for the devices of one profile.
class Firmware : public ::testing::Test {
 protected:
  void begin(const std::string& profile);
  // `dunlin`, in the folder of the repository; true when it succeeds.
  bool dunlin(std::vector<std::string> args);
  bool fleet(std::vector<std::string> args);
  std::string bundle(const std::string& name) const { return folder_.file(name + ".bundle"); }
  // Makes an image that samples ten times a second, with these options of `image build`.
  bool build_image(const std::vector<std::string>& options);
  std::string image() const { return folder_.file("device.img"); }
  Result<void> start_broker();

  // What the gateway knows of the device: null before it was heard of.
  nlohmann::json device() const;
  std::int64_t readings() const { return gateway_->readings(device().value("node", "none")); }
  bool has_readings(std::int64_t count) const { return !device().is_null() && readings() >= count; }
  std::vector<nlohmann::json> logs() const;  // of its samples, as the gateway knows them
  // How many epochs of the device the gateway has; it fails the test when something stays missing
  // in one, or two branches are.
  std::int64_t epochs() const;
  std::string explain() const;

  TempDir folder_;
  std::string profile_;
  std::uint16_t port_ = free_port();
  ChildProcess broker_;
  std::unique_ptr<Member> gateway_;
  std::unique_ptr<Machine> machine_;
};

}  // namespace dunlin::test
