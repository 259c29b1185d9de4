// An image without a bundle enrols by a token on its boot slot, and forgets it.
#include <nlohmann/json.hpp>

#include "cli/image/command.h"
#include "cli/image/disk.h"
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

  // Its boot slot has the token no more, once that is on the disk.
  const image::Layout layout = image::read_layout(machine_->disk()).value();
  const std::string slot =
      machine_->disk() + "@@" + std::to_string(layout.partitions[image::Layout::boot].offset);
  EXPECT_TRUE(eventually([&] {
    return image::run({{"mdir", "-b", "-i", slot, "::"}}).value().find("token") ==
           std::string::npos;
  }));
}

}  // namespace
}  // namespace dunlin::test
