#pragma once

#include <cstdio>
#include <cstdlib>

#include "tests/integration/three_gateways.h"
#include "tests/support/broker_nodes.h"

namespace dunlin::test {

// A fleet of which a broker's node crashes under load and comes back: everybody gets everything,
// each reading once. Tells how long it takes until what is measured then is seen in the other cell.
inline void lose_a_node(BrokerNodes& nodes, std::size_t lost, const std::string& broker_keys = {}) {
  Fleet fleet(nodes.urls());
  ThreeGateways three(fleet, broker_keys);
  DUNLIN_ASSERT_OK(fleet.start());
  const auto begun = std::chrono::steady_clock::now();
  const auto expect_live = [&](const std::string& when) {
    const auto since = std::chrono::steady_clock::now();
    ASSERT_TRUE(three.mark("north_" + when, "north") && three.mark("south_" + when, "south"));
    EXPECT_TRUE(ThreeGateways::sees(three.south, "north_" + when)) << three.south.log();
    EXPECT_TRUE(ThreeGateways::sees(three.north, "south_" + when)) << three.north.log();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - since;
    std::printf("%s: seen beyond the cell after %.3f s\n", when.c_str(), took.count());
  };
  expect_live("start");
  three.talk();
  ASSERT_TRUE(three.says_more(200));
  expect_live("before");
  nodes.kill(lost);
  ASSERT_TRUE(three.says_more(200));
  DUNLIN_ASSERT_OK(nodes.restart(lost));
  expect_live("after");
  three.hush();
  EXPECT_EQ(three.each_once(), "");
  const std::chrono::duration<double> all = std::chrono::steady_clock::now() - begun;
  std::printf("all of it took %.1f s\n", all.count());
}

}  // namespace dunlin::test

// Starts a broker of several nodes into a new variable; see DUNLIN_START_MOSQUITTO.
#define DUNLIN_START_NODES(nodes, ...)                                                 \
  auto nodes##_result = (__VA_ARGS__);                                                 \
  if (!nodes##_result && nodes##_result.error().code == ::dunlin::Errc::not_found &&   \
      !std::getenv("CI")) {                                                            \
    GTEST_SKIP() << "a broker is not installed: " << nodes##_result.error().message(); \
  }                                                                                    \
  ASSERT_TRUE(nodes##_result.ok()) << nodes##_result.error().message();                \
  const std::unique_ptr<::dunlin::test::BrokerNodes> nodes = std::move(nodes##_result).value()
