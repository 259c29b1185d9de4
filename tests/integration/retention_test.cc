// Retention: old entries leave by age or by bytes, an agent gives away only what its gateway
// acknowledged, and nothing of it counts as lost or missing.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>

#include "tests/support/eventually.h"
#include "tests/support/fleet.h"

namespace dunlin {
namespace {

using nlohmann::json;
using test::Fleet;
using test::Member;

constexpr std::int64_t kHour = 3'600'000'000;

std::int64_t now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// Readings first..last from `age` ago, which do not compress well.
std::string numbers(std::int64_t first, std::int64_t last, std::int64_t age = 0) {
  std::string lines;
  const std::int64_t time = now_us() - age;
  for (std::int64_t n = first; n <= last; ++n) {
    const std::string noise = std::to_string(static_cast<std::uint64_t>(n) * 0x9e3779b97f4a7c15);
    lines += "numbers n=" + std::to_string(n) + "i,noise=\"" + noise + "\" " +
             std::to_string(time + n) + "\n";
  }
  return lines;
}

// Lowest number, highest number and how many there are.
std::string range(const Member& member) {
  const auto text = [&](const char* what) {
    return std::to_string(
        member.sql_integer("SELECT ifnull(" + std::string(what) + ", 0) FROM stream_numbers"));
  };
  return text("min(n)") + ".." + text("max(n)") + ":" + text("count(DISTINCT n)");
}
bool holds(const Member& member, const std::string& expected) {
  return test::eventually([&] { return range(member) == expected; });
}

// "" when the gateway misses nothing of anybody and nobody counts anything as lost.
std::string complaint(const Member& gateway, const Member& agent) {
  const json answer = gateway.get_json("/v1/nodes");
  if (!answer.is_object()) return "no answer";
  for (const json& node : answer["nodes"]) {
    for (const json& log : node["logs"]) {
      const bool whole = log["missing_entries"] == 0 && log["lost_entries"] == 0 &&
                         log["lost_readings"] == 0 && log["complete"] == log["head"];
      if (!whole) return node.dump();
    }
  }
  if (!gateway.get_json("/v1/gaps")["gaps"].empty()) return "gaps";
  for (const char* policy : {"drop_oldest", "refuse_new"}) {
    const std::string series = "dunlin_lost_entries_total{policy=\"" + std::string(policy) + "\"}";
    if (agent.metric(series) != 0 || gateway.metric(series) != 0) return series;
  }
  if (!agent.events("entries_lost").empty()) return "an agent that lost entries";
  return {};
}

// "" when both have the same values wherever both have any of an entry.
std::string difference_where_both_hold(const Member& one, const Member& other) {
  const auto numbers_of = [](const Member& member, const std::string& from) {
    return member
        .sql("SELECT seq, row, time, n, noise FROM stream_numbers WHERE seq >= " + from +
             " ORDER BY seq, row")
        .rows;
  };
  const char* oldest = "SELECT ifnull(min(seq), 0) FROM stream_numbers";
  const std::string from =
      std::to_string(std::max(one.sql_integer(oldest), other.sql_integer(oldest)));
  const auto here = numbers_of(one, from);
  const auto there = numbers_of(other, from);
  if (here.empty()) return one.name() + " holds nothing from entry " + from;
  return here == there ? "" : "they differ from entry " + from;
}

const std::string kByAge = "flush_interval = \"20ms\"\nmax_age = \"1h\"\n";

TEST(Retention, ByAgeAtTheGateway) {
  DUNLIN_FLEET(fleet);
  Member& gateway = fleet.add_gateway({.track_keys = kByAge});
  Member& a = fleet.add_agent("a");
  DUNLIN_ASSERT_OK(fleet.start());
  ASSERT_TRUE(a.say(numbers(1, 100, 2 * kHour)));
  ASSERT_TRUE(holds(a, "1..100:100"));
  ASSERT_TRUE(a.say(numbers(101, 200)));
  ASSERT_TRUE(holds(gateway, "101..200:100")) << range(gateway);
  EXPECT_TRUE(holds(a, "1..200:200"));
  EXPECT_TRUE(test::eventually([&] { return complaint(gateway, a).empty(); }))
      << complaint(gateway, a);
  EXPECT_EQ(difference_where_both_hold(a, gateway), "");

  // It stays so over a restart, and what follows comes as ever.
  ASSERT_EQ(gateway.stop(), 0);
  ASSERT_TRUE(a.say(numbers(201, 300)));
  ASSERT_TRUE(holds(a, "1..300:300"));
  DUNLIN_ASSERT_OK(gateway.start());
  EXPECT_TRUE(holds(gateway, "101..300:200")) << range(gateway);
  EXPECT_TRUE(test::eventually([&] { return complaint(gateway, a).empty(); }))
      << complaint(gateway, a);
  EXPECT_EQ(difference_where_both_hold(a, gateway), "");
  EXPECT_EQ(gateway.metric("dunlin_readings_total{direction=\"received\"}"), 100);
}

TEST(Retention, ByAgeAtAnAgentOnlyWhatIsAcknowledged) {
  DUNLIN_FLEET(fleet);
  Member& gateway = fleet.add_gateway();
  Member& a = fleet.add_agent("a", {.track_keys = kByAge});
  DUNLIN_ASSERT_OK(gateway.start());
  fleet.broker().stop();
  DUNLIN_ASSERT_OK(a.start());
  ASSERT_TRUE(a.say(numbers(1, 2000, 2 * kHour)));
  ASSERT_TRUE(holds(a, "1..2000:2000"));
  // Its space was looked at with them in it, and they are here still.
  const double before = a.metric("dunlin_log_bytes");
  ASSERT_TRUE(a.say(numbers(2001, 4000)));
  ASSERT_TRUE(holds(a, "1..4000:4000"));
  ASSERT_TRUE(test::eventually([&] { return a.metric("dunlin_log_bytes") > before; }));
  EXPECT_EQ(range(a), "1..4000:4000");

  DUNLIN_ASSERT_OK(fleet.broker().restart());
  EXPECT_TRUE(holds(gateway, "1..4000:4000")) << range(gateway);
  // Idle, it notes Acks ten seconds later, and looks at its disk every ten seconds.
  EXPECT_TRUE(
      test::eventually([&] { return range(a) == "2001..4000:2000"; }, std::chrono::minutes(1)))
      << range(a);
  EXPECT_TRUE(test::eventually([&] { return complaint(gateway, a).empty(); }))
      << complaint(gateway, a);
  EXPECT_EQ(difference_where_both_hold(a, gateway), "");

  ASSERT_EQ(a.stop(), 0);
  DUNLIN_ASSERT_OK(a.start());
  ASSERT_TRUE(a.say(numbers(4001, 4100)));
  EXPECT_TRUE(holds(gateway, "1..4100:4100")) << range(gateway);
  EXPECT_EQ(range(a), "2001..4100:2100");
  EXPECT_TRUE(test::eventually([&] { return complaint(gateway, a).empty(); }))
      << complaint(gateway, a);
  EXPECT_EQ(difference_where_both_hold(a, gateway), "");
}

TEST(Retention, ByBytesOfATrackAtAnAgent) {
  DUNLIN_FLEET(fleet);
  Member& gateway = fleet.add_gateway();
  Member& a =
      fleet.add_agent("a", {.track_keys = "flush_interval = \"20ms\"\nmax_bytes = \"64KiB\"\n"});
  DUNLIN_ASSERT_OK(fleet.start());
  const auto stored = [&] {
    return a.sql_integer(
        "SELECT sum(length(body)) FROM segments s JOIN logs l ON l.id = s.log WHERE l.track = 1");
  };
  std::int64_t said = 0;
  for (; said < 20'000; said += 2500) {
    ASSERT_TRUE(a.say(numbers(said + 1, said + 2500)));
    ASSERT_TRUE(test::eventually(
        [&] { return a.sql_integer("SELECT max(n) FROM stream_numbers") == said + 2500; }));
    // Each is acked before the next is said: an idle agent notes that ten seconds later, so a
    // reading more makes it do so now. Its own entry alone may be without an Ack then.
    ASSERT_TRUE(test::eventually([&] {
      return a.say("nudge n=1i\n") && a.status(a.node(), "acked") + 1 >= a.status(a.node(), "last");
    }));
  }
  EXPECT_TRUE(test::eventually([&] { return stored() <= 64 * 1024; })) << stored();
  EXPECT_GT(stored(), 16 * 1024);
  EXPECT_EQ(a.sql_integer("SELECT max(n) FROM stream_numbers"), said);
  EXPECT_GT(a.sql_integer("SELECT min(n) FROM stream_numbers"), 1);
  EXPECT_TRUE(test::eventually([&] { return complaint(gateway, a).empty(); }))
      << complaint(gateway, a);
  EXPECT_EQ(difference_where_both_hold(a, gateway), "");
}

TEST(Retention, ByBytesAtTheGateway) {
  DUNLIN_FLEET(fleet);
  Member& gateway = fleet.add_gateway({.storage_keys = "max_bytes = \"1MiB\"\n"});
  Member& a = fleet.add_agent("a");
  DUNLIN_ASSERT_OK(fleet.start());
  const auto behind = [&] { return test::eventually([&] { return fleet.behind().empty(); }); };
  std::int64_t said = 0;
  for (; said < 200'000; said += 10'000) {
    ASSERT_TRUE(a.say(numbers(said + 1, said + 10'000)));
  }
  ASSERT_TRUE(holds(a, "1..200000:200000"));
  ASSERT_TRUE(behind()) << fleet.behind();
  // Down to what its bound leaves beside the WAL.
  EXPECT_TRUE(test::eventually([&] { return gateway.metric("dunlin_log_bytes") < 1024 * 1024; }))
      << gateway.metric("dunlin_log_bytes");
  // The oldest go, also those that came last.
  EXPECT_TRUE(test::eventually(
      [&] { return gateway.sql_integer("SELECT min(n) FROM stream_numbers") > 1; }));
  EXPECT_EQ(gateway.sql_integer("SELECT max(n) FROM stream_numbers"), said);
  EXPECT_GT(gateway.readings(), 1000);
  EXPECT_TRUE(test::eventually([&] { return complaint(gateway, a).empty(); }))
      << complaint(gateway, a);
  EXPECT_TRUE(test::eventually([&] { return difference_where_both_hold(a, gateway).empty(); }))
      << difference_where_both_hold(a, gateway);

  // What it let go it does not ask for again.
  ASSERT_EQ(gateway.stop(), 0);
  ASSERT_TRUE(a.say(numbers(said + 1, said + 100)));
  ASSERT_TRUE(holds(a, "1..200100:200100"));
  DUNLIN_ASSERT_OK(gateway.start());
  EXPECT_TRUE(test::eventually(
      [&] { return gateway.sql_integer("SELECT max(n) FROM stream_numbers") == said + 100; }));
  ASSERT_TRUE(behind()) << fleet.behind();
  EXPECT_EQ(gateway.metric("dunlin_readings_total{direction=\"received\"}"), 100);
  EXPECT_TRUE(test::eventually([&] { return complaint(gateway, a).empty(); }))
      << complaint(gateway, a);
  EXPECT_EQ(difference_where_both_hold(a, gateway), "");
}

}  // namespace
}  // namespace dunlin
