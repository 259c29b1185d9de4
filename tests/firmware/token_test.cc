// An image without a bundle enrols by a token on its boot slot, forgets it, and stays who it is
// when its data partition is lost.
#include <nlohmann/json.hpp>

#include "cli/image/command.h"
#include "cli/image/inspect.h"
#include "tests/firmware/firmware.h"

namespace dunlin::test {
namespace {

TEST_F(Firmware, WithoutABundleATokenWillDo) {
  begin("qemu-arm64");
  if (IsSkipped() || HasFatalFailure()) return;
  ChildProcess issuer;
  const std::uint16_t issuer_port = free_port();
  issuer = ChildProcess::start({.program = built_program("dunlin"),
                                .args = {"fleet", "serve", "--dir", folder_.file("fleet"),
                                         "--listen", "127.0.0.1:" + std::to_string(issuer_port)},
                                .env = {},
                                .output_file = folder_.file("issuer.log")})
               .value();
  ASSERT_TRUE(eventually([&] { return accepts_connections(issuer_port); }));
  ASSERT_EQ(gateway_->stop(), 0);
  gateway_->configure([&](Member::Options& options) {
    options.more = "[https]\nlisten = \"127.0.0.1:0\"\n[enrol]\nissuer = \"http://127.0.0.1:" +
                   std::to_string(issuer_port) + "\"\n";
  });
  DUNLIN_ASSERT_OK(gateway_->start());
  const int port = gateway_->events("started").back()["https_port"];
  const std::string token = folder_.file("token");
  ASSERT_EQ(run_program({.program = built_program("dunlin"),
                         .args = {"fleet", "token", "shore", "--gateway",
                                  "https://10.0.2.2:" + std::to_string(port), "--dir",
                                  folder_.file("fleet")},
                         .env = {},
                         .output_file = token}),
            0);
  ASSERT_TRUE(build_image({"--token", token}));
  DUNLIN_ASSERT_OK(machine_->start());
  EXPECT_TRUE(eventually([&] { return has_readings(100); }, kBoot)) << explain();
  EXPECT_EQ(device()["name"], "shore");
  EXPECT_EQ(machine_->console().find("PRIVATE KEY"), std::string::npos);

  // Its boot slot has the token no more, but who it is, once that is on the disk.
  const auto on_slot = [&](const std::string& name) {
    const std::string names =
        image::run({{"mdir", "-b", "-i", machine_->boot_slot(), "::"}}).value();
    return names.find(name) != std::string::npos;
  };
  EXPECT_TRUE(eventually([&] { return !on_slot("token") && on_slot("device.bundle"); }));
  machine_->cut_power();
  const std::string written = folder_.file("written.img");
  std::filesystem::copy_file(machine_->disk(), written);
  EXPECT_EQ(image::inspect(written).value().owner->name, "shore");

  const std::string node = device()["node"];
  const std::int64_t before = readings();
  DUNLIN_ASSERT_OK(machine_->spoil_data());
  DUNLIN_ASSERT_OK(machine_->start());
  EXPECT_TRUE(eventually([&] { return has_readings(before + 60); }, kBoot)) << explain();
  EXPECT_EQ(device()["node"], node);
  EXPECT_EQ(epochs(), 2);
}

}  // namespace
}  // namespace dunlin::test
