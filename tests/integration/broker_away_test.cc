// The broker is away for longer than any buffer holds: the log is the buffer.
#include <gtest/gtest.h>

#include "tests/support/eventually.h"
#include "tests/support/fleet.h"

namespace dunlin {
namespace {

using test::Fleet;
using test::Member;

constexpr std::int64_t kReadings = 1'000'000;
constexpr std::uint64_t kAgentBytesMax = 20'000'000;

std::string model(std::int64_t readings) {
  return "[[input]]\ntype = \"model\"\nstream = \"greenhouse_model\"\nseed = 7\nspeed = 0\nbatch = "
         "500\n"
         "readings = " +
         std::to_string(readings) + "\n";
}

TEST(BrokerAway, LongerThanAnyBufferThenNewestFirst) {
  DUNLIN_FLEET(fleet);
  Member& gateway = fleet.add_gateway();
  Member& agent = fleet.add_agent("a", {.more = model(kReadings)});
  DUNLIN_ASSERT_OK(gateway.start());
  ASSERT_TRUE(test::eventually([&] { return gateway.get("/readyz").status == 200; }));
  fleet.broker().stop();
  DUNLIN_ASSERT_OK(agent.start());
  ASSERT_TRUE(test::eventually([&] { return agent.events("input_ended").size() == 1; },
                               std::chrono::seconds(60)));
  const std::string newest =
      "SELECT ifnull(max(last), 0) FROM segments s JOIN logs l ON l.id = s.log"
      " WHERE l.track = 1 AND l.node = x'" +
      agent.node() + "'";
  ASSERT_TRUE(test::eventually(
      [&] { return agent.sql_integer("SELECT sum(readings) FROM segments") == kReadings; }));
  const std::int64_t head = agent.sql_integer(newest);
  EXPECT_GE(head, kReadings / 1000);
  // More than the transport, its socket and the agent's own queues hold.
  EXPECT_GT(agent.sql_integer("SELECT sum(length(body)) FROM segments"), 2'000'000);
  EXPECT_LT(agent.peak_rss(), kAgentBytesMax);

  DUNLIN_ASSERT_OK(fleet.broker().restart());
  // The first that the gateway has is the newest, and then it goes back from there without a hole.
  const std::string held =
      "SELECT ifnull(max(last), 0), min(first), sum(last - first + 1) FROM segments s"
      " JOIN logs l ON l.id = s.log WHERE l.track = 1 AND l.node = x'" +
      agent.node() + "'";
  int on_the_way = 0;
  ASSERT_TRUE(test::eventually(
      [&] {
        const auto row = gateway.sql(held).rows.at(0);
        if (std::get<std::int64_t>(row[0]) == 0) return false;
        EXPECT_EQ(std::get<std::int64_t>(row[0]), head);
        EXPECT_EQ(std::get<std::int64_t>(row[2]), head - std::get<std::int64_t>(row[1]) + 1);
        on_the_way += std::get<std::int64_t>(row[1]) > 1 ? 1 : 0;
        return std::get<std::int64_t>(row[1]) == 1;
      },
      std::chrono::seconds(60)));
  EXPECT_GT(on_the_way, 0);
  ASSERT_TRUE(test::eventually([&] { return fleet.behind().empty(); }, std::chrono::seconds(60)))
      << fleet.behind();
  const std::string digest =
      "SELECT count(*), min(time), max(time), sum(time % 1000000007 * (seq * 1000 + row) % "
      "1000000007),"
      " total(temperature), total(humidity), total(light), total(battery) FROM "
      "stream_greenhouse_model";
  EXPECT_EQ(agent.sql(digest).rows.size(), 1u);
  EXPECT_EQ(gateway.sql(digest).rows, agent.sql(digest).rows);
  EXPECT_EQ(gateway.readings(), kReadings);
  EXPECT_LT(agent.peak_rss(), kAgentBytesMax);
}

// It comes and goes while readings are appended; nobody restarts anything.
TEST(BrokerAway, AgainAndAgain) {
  DUNLIN_FLEET(fleet);
  Member& gateway = fleet.add_gateway();
  Member& a = fleet.add_agent("a");
  Member& b = fleet.add_agent("b", {.broker_keys = "protocol = 4\n"});
  DUNLIN_ASSERT_OK(fleet.start());
  std::int64_t said = 0;
  const auto say = [&] {
    std::string lines;
    for (int i = 0; i < 500; ++i) lines += "numbers n=" + std::to_string(++said) + "i\n";
    ASSERT_TRUE(a.say(lines) && b.say(lines));
  };
  for (int round = 0; round < 3; ++round) {
    say();
    round == 1 ? fleet.broker().stop() : fleet.broker().kill();
    say();
    ASSERT_TRUE(test::eventually([&] { return gateway.get("/readyz").status == 503; }));
    DUNLIN_ASSERT_OK(fleet.broker().restart());
    say();
    ASSERT_TRUE(test::eventually([&] { return a.readings() == said && b.readings() == said; }));
    ASSERT_EQ(fleet.converge(), "");
  }
  EXPECT_EQ(gateway.readings(), 2 * said);
}

}  // namespace
}  // namespace dunlin
