// Agents that keep the logs of their cell: what one of them measured the others have, with no
// gateway in reach. Real programs and mosquitto, with the rights of a fleet.
#include <gtest/gtest.h>

#include "tests/support/eventually.h"
#include "tests/support/fleet.h"

namespace dunlin {
namespace {

using test::eventually;
using test::Member;

// So many readings of every agent, in all.
std::int64_t say(test::Fleet& fleet, int readings) {
  for (const auto& agent : fleet.agents()) {
    std::string lines;
    for (int n = 1; n <= readings; ++n) lines += "numbers n=" + std::to_string(n) + "i\n";
    EXPECT_TRUE(agent->say(lines)) << agent->log();
  }
  return readings * std::ssize(fleet.agents());
}

TEST(Keepers, HandOverEverythingWhenAGatewayComes) {
  DUNLIN_FLEET(fleet);
  for (const char* name : {"pump", "pond", "gone"}) fleet.add_agent(name, {.keeper = true});
  Member& other = fleet.add_agent("other");
  DUNLIN_ASSERT_OK(fleet.start());
  const std::int64_t all = say(fleet, 50);
  for (const auto& agent : fleet.agents()) {
    if (agent.get() == &other) continue;
    EXPECT_TRUE(eventually([&] { return agent->readings() == all; }))
        << agent->name() << " has " << agent->readings() << "\n"
        << agent->log() << other.log();
  }
  EXPECT_EQ(other.readings(), 50) << "who is no keeper hears nothing of the others";
  // One of them will never be there again, and has met no gateway.
  Member& gone = *fleet.agents()[2];
  const auto its = gone.samples(gone.node());
  gone.kill();
  Member& gateway = fleet.add_gateway();
  DUNLIN_ASSERT_OK(gateway.start());
  EXPECT_TRUE(eventually([&] { return gateway.samples(gone.node()) == its; })) << gateway.log();
  EXPECT_TRUE(eventually([&] { return gateway.readings() == all; })) << gateway.readings();
  for (const auto& agent : fleet.agents()) EXPECT_EQ(test::Fleet::difference(*agent, gateway), "");
}

// After a restart nothing goes out before somebody knows the database: a keeper does.
TEST(Keepers, KnowOneThatRestarted) {
  DUNLIN_FLEET(fleet);
  Member& pump = fleet.add_agent("pump", {.keeper = true});
  Member& pond = fleet.add_agent("pond", {.keeper = true});
  DUNLIN_ASSERT_OK(fleet.start());
  std::int64_t all = say(fleet, 5);
  EXPECT_TRUE(eventually([&] { return pond.readings() == all; }));
  pump.kill();
  DUNLIN_ASSERT_OK(pump.start());
  all += say(fleet, 5);
  for (const Member* agent : {&pump, &pond})
    EXPECT_TRUE(eventually([&] { return agent->readings() == all; })) << agent->log();
}

}  // namespace
}  // namespace dunlin
