// A device whose clock says 1970: its readings are taken and marked as of unknown time.
#include <gtest/gtest.h>

#include <ctime>
#include <nlohmann/json.hpp>

#include "tests/support/eventually.h"
#include "tests/support/faketime.h"
#include "tests/support/fleet.h"

namespace dunlin {
namespace {

using test::Fleet;
using test::Member;

// Its readings have no time until a gateway tells what time it is; then they had it all along.
TEST(Clock, Of1970IsAcceptedMarkedAndCorrected) {
  const test::TempDir folder;
  const std::string library = test::faketime_library(folder);
  if (library.empty() && !std::getenv("CI")) GTEST_SKIP() << "faketime is not installed";
  ASSERT_NE(library, "") << "faketime is not installed";
  DUNLIN_FLEET(fleet);
  Member& gateway = fleet.add_gateway();
  Member& dazed = fleet.add_agent("dazed", {.environment = test::clock_of_1970(library)});
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

// A Hello that the broker kept says nothing about the clock of now.
TEST(ClockSkew, IsKnownToAGatewayThatStartsAnew) {
  DUNLIN_FLEET(fleet);
  Member& gateway = fleet.add_gateway();
  Member& agent = fleet.add_agent("agent");
  DUNLIN_ASSERT_OK(fleet.start());
  const auto knows = [&] {
    for (const auto& node : gateway.get_json("/v1/nodes").value("nodes", nlohmann::json::array()))
      if (node.value("node", "") == agent.node()) return node["clock_skew_seconds"].is_number();
    return false;
  };
  EXPECT_TRUE(test::eventually(knows));
  ASSERT_EQ(gateway.stop(), 0);
  DUNLIN_ASSERT_OK(gateway.start());
  EXPECT_TRUE(test::eventually(knows)) << gateway.get_json("/v1/nodes");
}

}  // namespace
}  // namespace dunlin
