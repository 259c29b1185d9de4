// A device whose clock says 1970: its readings are taken and marked as of unknown time.
#include <gtest/gtest.h>

#include <ctime>
#include <fstream>

#include "tests/support/eventually.h"
#include "tests/support/fleet.h"

namespace dunlin {
namespace {

using test::Fleet;
using test::Member;

// The library that the faketime program would preload; "" when it is not installed. The program
// itself would stand between us and the agent's process.
std::string faketime_library(const test::TempDir& folder) {
  const std::string output = folder.file("faketime.out");
  const auto code = test::run_program({.program = "faketime",
                                       .args = {"-m", "-f", "+0", "printenv", "LD_PRELOAD"},
                                       .output_file = output});
  std::ifstream file(output);
  std::string library;
  if (code == 0) std::getline(file, library);
  return library;
}

// Its readings have no time until a gateway tells what time it is; then they had it all along.
TEST(Clock, Of1970IsAcceptedMarkedAndCorrected) {
  const test::TempDir folder;
  const std::string library = faketime_library(folder);
  if (library.empty() && !std::getenv("CI")) GTEST_SKIP() << "faketime is not installed";
  ASSERT_NE(library, "") << "faketime is not installed";
  DUNLIN_FLEET(fleet);
  Member& gateway = fleet.add_gateway();
  // Only what tells the time of day is faked.
  Member& dazed = fleet.add_agent(
      "dazed", {.environment = {"LD_PRELOAD=" + library, "TZ=UTC", "FAKETIME=@1970-01-02 00:00:00",
                                "FAKETIME_DONT_FAKE_MONOTONIC=1"}});
  Member& sane = fleet.add_agent("sane");
  DUNLIN_ASSERT_OK(dazed.start());
  DUNLIN_ASSERT_OK(sane.start());
  ASSERT_TRUE(dazed.say("air t=1.5\nair t=2.5\n") && sane.say("air t=3.5\n"));
  ASSERT_TRUE(dazed.say("air t=4.5 1767225600000000\n"));  // this one brought its own time
  ASSERT_TRUE(test::eventually([&] { return dazed.readings() == 3 && sane.readings() == 1; }))
      << dazed.log();
  ASSERT_TRUE(dazed.log().find("\"time\":\"1970-01-0") != std::string::npos) << dazed.log();
  const std::string of = " FROM stream_air WHERE node = '" + dazed.node() + "'";
  EXPECT_EQ(dazed.sql_integer("SELECT count(*)" + of + " AND time IS NULL"), 2);

  DUNLIN_ASSERT_OK(gateway.start());
  EXPECT_EQ(fleet.converge(), "");
  for (const Member* member : {&gateway, &dazed}) {
    EXPECT_TRUE(test::eventually([&] {
      return member->sql_integer("SELECT count(*)" + of + " AND abs(time / 1000000 - " +
                                 std::to_string(::time(nullptr)) + ") < 60") == 2;
    })) << member->name();
    EXPECT_EQ(member->sql_integer("SELECT time" + of + " AND t = 4.5"), 1'767'225'600'000'000);
    EXPECT_EQ(member->sql_integer("SELECT count(*)" + of + " AND t IN (1.5, 2.5)"), 2);
  }
  EXPECT_GT(gateway.sql_integer("SELECT time FROM stream_air WHERE t = 3.5"),
            1'700'000'000'000'000);

  EXPECT_EQ(gateway.get_json("/v1/gaps")["gaps"].size(), 0u);
  ASSERT_EQ(dazed.stop(), 0);
}

}  // namespace
}  // namespace dunlin
