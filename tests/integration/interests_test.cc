// Agents that keep logs of other cells: of nodes that they follow by name, or of the whole fleet,
// and what becomes of it when their interest changes while they run. Real programs and mosquitto,
// with the rights of a fleet.
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>

#include "tests/support/eventually.h"
#include "tests/support/fleet.h"

namespace dunlin {
namespace {

using test::eventually;
using test::Member;

std::string follow(const std::string& node) {
  return "[[follow]]\nnode = \"" + node + "\"\n";
}

// Pump and pond in the south; in the north a display, which may keep all.
class TwoCells {
 public:
  explicit TwoCells(test::Fleet& fleet, const std::string& interest, const std::string& follows)
      : north(fleet.add_gateway({.name = "gate-north", .cells = {"north"}})),
        south(fleet.add_gateway({.name = "gate-south", .cells = {"south"}})),
        pump(fleet.add_agent("pump", {.cells = {"south"}})),
        pond(fleet.add_agent("pond", {.cells = {"south"}})),
        display(fleet.add_agent("display", {.keeper = true,
                                            .cells = {"north", "_core"},
                                            .node_keys = "interest = \"" + interest + "\"\n",
                                            .more = follows})) {}

  // While it runs, or for its next start.
  Result<void> change(const std::string& interest, const std::string& follows) {
    configure(interest, follows);
    return display.reload();
  }
  void configure(const std::string& interest, const std::string& follows) {
    display.configure([&](Member::Options& options) {
      const std::size_t at = options.node_keys.find("interest");
      options.node_keys.replace(at, options.node_keys.find('\n', at) - at,
                                "interest = \"" + interest + "\"");
      options.more = follows;
    });
  }
  static bool say(Member& agent, int readings) {
    std::string lines;
    for (int n = 1; n <= readings; ++n) lines += "numbers n=" + std::to_string(n) + "i\n";
    return agent.say(lines);
  }
  // That the display has so many readings of each, in the end.
  testing::AssertionResult displays(std::int64_t of_pump, std::int64_t of_pond) {
    const auto has = [&] {
      return display.readings(pump.node()) == of_pump && display.readings(pond.node()) == of_pond;
    };
    if (eventually(has)) return testing::AssertionSuccess();
    return testing::AssertionFailure()
           << "it has " << display.readings(pump.node()) << " of pump and "
           << display.readings(pond.node()) << " of pond\n"
           << display.log();
  }

  Member &north, &south, &pump, &pond, &display;
};

TEST(Interests, FollowNodesOfOtherCells) {
  DUNLIN_FLEET(fleet);
  TwoCells cells(fleet, "own", follow("pump"));
  DUNLIN_ASSERT_OK(fleet.start());
  ASSERT_TRUE(cells.say(cells.pump, 50) && cells.say(cells.pond, 50));
  EXPECT_TRUE(cells.displays(50, 0));
  ASSERT_TRUE(cells.say(cells.pump, 50));
  EXPECT_TRUE(cells.displays(100, 0));
  EXPECT_EQ(test::Fleet::difference(cells.pump, cells.display), "");
  // Another one, while all run: what is wanted no more goes, and what was said before comes.
  DUNLIN_ASSERT_OK(cells.change("own", follow("pond")));
  EXPECT_TRUE(cells.displays(0, 50));
  // What others have comes once more.
  DUNLIN_ASSERT_OK(cells.change("own", follow("pump") + follow("pond")));
  EXPECT_TRUE(cells.displays(100, 50));
  EXPECT_EQ(test::Fleet::difference(cells.pump, cells.display), "");
}

TEST(Interests, KeepTheWholeFleet) {
  DUNLIN_FLEET(fleet);
  TwoCells cells(fleet, "own", "");
  DUNLIN_ASSERT_OK(fleet.start());
  ASSERT_TRUE(cells.say(cells.pump, 50) && cells.say(cells.display, 5));
  EXPECT_EQ(fleet.converge(), "");
  EXPECT_TRUE(cells.displays(0, 0));
  DUNLIN_ASSERT_OK(cells.change("fleet", ""));
  EXPECT_TRUE(cells.displays(50, 0));
  ASSERT_TRUE(cells.say(cells.pond, 50));
  EXPECT_TRUE(cells.displays(50, 50));
  // Certificates tell which cell a node is in.
  DUNLIN_ASSERT_OK(cells.change("cell", ""));
  EXPECT_TRUE(cells.displays(0, 0));
  EXPECT_EQ(cells.display.readings(), 5) << "its own stay";
  // What is said now comes to the gateway of its cell, and not to it.
  ASSERT_TRUE(cells.say(cells.pump, 50) && cells.say(cells.display, 5));
  EXPECT_EQ(fleet.converge(), "");
  EXPECT_TRUE(cells.displays(0, 0));
}

// What stood in the backbone while it kept the fleet is found by nobody later, however it changed.
TEST(Interests, LeaveNothingInTheBackbone) {
  DUNLIN_FLEET(fleet);
  TwoCells cells(fleet, "fleet", "");
  DUNLIN_ASSERT_OK(fleet.start());
  ASSERT_TRUE(cells.say(cells.pump, 50));
  EXPECT_TRUE(cells.displays(50, 0));
  // With the rights of a gateway, which may not be there at the same time.
  EXPECT_EQ(cells.south.stop(), 0);
  const auto stands = [&] {
    const std::string files = cells.south.data_dir() + "/";
    return test::run_program(
               {.program = "mosquitto_sub",
                .args = {"-h", "127.0.0.1", "-p", std::to_string(fleet.broker().port()), "-V", "5",
                         "--cafile", files + "fleet.crt", "--cert", files + "node.crt", "--key",
                         files + "node.key", "-C", "1", "-W", "1", "-t",
                         "dunlin/v1/+/_core/gate/" + cells.display.node()}}) == 0;
  };
  EXPECT_TRUE(eventually(stands));
  DUNLIN_ASSERT_OK(cells.change("cell", ""));
  EXPECT_TRUE(eventually([&] { return !stands(); }));
  DUNLIN_ASSERT_OK(cells.change("fleet", ""));
  EXPECT_TRUE(eventually(stands));
  EXPECT_EQ(cells.display.stop(), 0);
  cells.configure("own", "");
  EXPECT_TRUE(stands());
  DUNLIN_ASSERT_OK(cells.display.start());
  EXPECT_TRUE(eventually([&] { return !stands(); }));
}

// A configuration with a mistake changes nothing.
TEST(Interests, AMistakeIsToldAndChangesNothing) {
  DUNLIN_FLEET(fleet);
  TwoCells cells(fleet, "own", follow("pump"));
  DUNLIN_ASSERT_OK(fleet.start());
  ASSERT_TRUE(cells.say(cells.pump, 50));
  EXPECT_TRUE(cells.displays(50, 0));
  const std::string config = cells.display.config();
  { std::ofstream(config, std::ios::app) << "[node]\n"; }
  cells.display.process().kill(SIGHUP);
  EXPECT_TRUE(eventually([&] { return !cells.display.events("not_reloaded").empty(); }));
  ASSERT_TRUE(cells.say(cells.pump, 50));
  EXPECT_TRUE(cells.displays(100, 0));
  EXPECT_EQ(cells.display.events("started").size(), 1u);
}

}  // namespace
}  // namespace dunlin
