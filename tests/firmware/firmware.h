#pragma once

#include <gtest/gtest.h>

#include "tests/firmware/machine.h"

namespace dunlin::test {

// A broker and a gateway on this machine, for the devices of one profile.
class Firmware : public ::testing::Test {
 protected:
  void begin(const std::string& profile);
  // Without these; skips, or fails under CI, where nobody built the programs of the profile.
  void begin_alone(const std::string& profile);
  // `dunlin`, in the folder of the repository; true when it succeeds.
  bool dunlin(std::vector<std::string> args);
  bool fleet(std::vector<std::string> args);
  std::string bundle(const std::string& name) const { return folder_.file(name + ".bundle"); }
  // Makes an image that samples by `settings_`, with these options of `image build`.
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
  std::string profiles_ = std::string(DUNLIN_SOURCE_DIR) + "/firmware-profiles";
  std::string settings_ = "[[input]]\ntype = \"model\"\nseed = 1\nperiod = \"100ms\"\n";
  std::uint16_t port_ = free_port();
  ChildProcess broker_;
  std::unique_ptr<Member> gateway_;
  std::unique_ptr<Machine> machine_;
};

}  // namespace dunlin::test
