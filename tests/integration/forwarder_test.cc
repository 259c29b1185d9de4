// Of the gateways of a cell one hands each node's readings on to the others. When it is lost under
// load another does, whether the broker tells of its end or it only falls silent.
#include <signal.h>

#include <cstdio>

#include "tests/integration/three_gateways.h"

namespace dunlin {
namespace {

using test::Fleet;
using test::Member;
using test::ThreeGateways;

// What is measured now is seen beyond its cell; tells how long that takes.
void expect_live(const ThreeGateways& three, const std::string& when) {
  const auto begun = std::chrono::steady_clock::now();
  ASSERT_TRUE(three.mark("north_" + when, "north"));
  ASSERT_TRUE(three.mark("south_" + when, "south"));
  EXPECT_TRUE(ThreeGateways::sees(three.south, "north_" + when)) << three.south.log();
  EXPECT_TRUE(ThreeGateways::sees(three.north, "south_" + when)) << three.north.log();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  std::printf("%s: seen beyond the cell after %.3f s\n", when.c_str(), took.count());
}

TEST(Forwarder, AnotherTakesOverWhenItIsKilled) {
  DUNLIN_FLEET(fleet);
  ThreeGateways three(fleet);
  ASSERT_TRUE(three.begin(200));
  expect_live(three, "before");
  three.both.kill();
  expect_live(three, "after");
  DUNLIN_ASSERT_OK(three.both.start());
  expect_live(three, "again");
  three.hush();
  EXPECT_EQ(three.each_once(), "");
}

// Its connection stays open, so that no will comes.
TEST(Forwarder, AnotherTakesOverWhenItHangs) {
  DUNLIN_FLEET(fleet);
  ThreeGateways three(fleet);
  ASSERT_TRUE(three.begin(200));
  expect_live(three, "before");
  three.both.process().kill(SIGSTOP);
  expect_live(three, "after");
  expect_live(three, "soon");
  three.both.process().kill(SIGCONT);
  expect_live(three, "again");
  three.hush();
  EXPECT_EQ(three.each_once(), "");
}

}  // namespace
}  // namespace dunlin
