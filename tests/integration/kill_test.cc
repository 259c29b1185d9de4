// kill -9 of agents, gateway and broker at any moment: nothing acknowledged is lost or doubled.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <random>
#include <thread>

#include "tests/support/eventually.h"
#include "tests/support/fleet.h"
#include "tests/support/talker.h"

namespace dunlin {
namespace {

using storage::Value;
using test::Fleet;
using test::Member;
using test::Talker;

constexpr unsigned kSeed = 20260101;
constexpr int kRounds = 14;

// Entries of the samples track that a member's database says of a node: held, or acked by a
// gateway.
std::int64_t entries(const Member& member, const std::string& node, const std::string& what) {
  std::int64_t sum = 0;
  const auto printed = member.command({"status", "--json"});
  const auto table = nlohmann::json::parse(printed.text, nullptr, false);
  if (!table.is_object()) return -1;
  const auto& names = table["columns"];
  for (const auto& row : table["rows"]) {
    const auto value = [&](const std::string& name) {
      const auto at = std::find(names.begin(), names.end(), name) - names.begin();
      return row[static_cast<std::size_t>(at)];
    };
    if (value("node") != node || value("track") != 1) continue;
    sum += value(what).get<std::int64_t>() -
           (what == "last" ? value("missing").get<std::int64_t>() : 0);
  }
  return sum;
}

bool starts_with(const std::vector<std::vector<Value>>& all,
                 const std::vector<std::vector<Value>>& begin) {
  return all.size() >= begin.size() && std::equal(begin.begin(), begin.end(), all.begin());
}

// No condition is waited for: a kill is to come in the midst of whatever happens just then (a
// commit, a push, a connect), so any moment will do and each round has another one. What must hold
// afterwards is waited for.
void pause(std::mt19937& random, int ms_max) {
  std::this_thread::sleep_for(std::chrono::milliseconds(random() % static_cast<unsigned>(ms_max)));
}

// What anybody could read from the database before the kill is there after it.
void kill_agent(Member& agent) {
  const auto durable = agent.samples();
  agent.kill();
  EXPECT_TRUE(starts_with(agent.samples(), durable)) << agent.name() << " lost what was durable";
}

// What agents were told to be durable at the gateway is there after the kill.
void kill_gateway(Fleet& fleet) {
  std::vector<std::int64_t> acked;
  for (const auto& agent : fleet.agents()) acked.push_back(entries(*agent, agent->node(), "acked"));
  fleet.gateway().kill();
  for (std::size_t i = 0; i < acked.size(); ++i) {
    EXPECT_GE(entries(fleet.gateway(), fleet.agents()[i]->node(), "last"), acked[i]);
  }
}

TEST(Kill, AnybodyAtAnyMoment) {
  DUNLIN_FLEET(fleet);
  fleet.add_gateway();
  for (const char* name : {"a", "b", "c"}) {
    fleet.add_agent(name, {.track_keys = "flush_interval = \"10ms\"\nflush_readings = 20\n"});
  }
  DUNLIN_ASSERT_OK(fleet.start());
  std::mt19937 random(kSeed);
  {
    std::vector<std::unique_ptr<Talker>> talkers;
    for (const auto& agent : fleet.agents()) talkers.push_back(std::make_unique<Talker>(*agent));
    for (int round = 0; round < kRounds; ++round) {
      SCOPED_TRACE("round " + std::to_string(round) + " of seed " + std::to_string(kSeed));
      pause(random, 400);  // somewhere in the life of the new process or connection
      const auto victim = random() % 5;
      if (victim < 3) {
        kill_agent(*fleet.agents()[victim]);
      } else if (victim == 3) {
        kill_gateway(fleet);
      } else {
        fleet.broker().kill();
      }
      pause(random, 200);  // the others go on without it
      if (victim == 4) {
        DUNLIN_ASSERT_OK(fleet.broker().restart());
      } else {
        DUNLIN_ASSERT_OK(fleet.start());
      }
    }
  }
  EXPECT_EQ(fleet.converge(), "");
  for (const auto& agent : fleet.agents()) {
    const std::int64_t readings = agent->readings();
    EXPECT_GT(readings, 500) << agent->name();
    EXPECT_EQ(agent->sql_integer("SELECT count(DISTINCT n) FROM stream_numbers"), readings);
    EXPECT_TRUE(agent->events("database_damaged").empty());
  }
  EXPECT_EQ(fleet.gateway().get_json("/v1/gaps")["gaps"].size(), 0u);
  EXPECT_TRUE(fleet.gateway().events("database_damaged").empty());
  EXPECT_TRUE(fleet.gateway().events("fork_detected").empty());
}

// Everything at once, as when the power of the site goes.
TEST(Kill, EverybodyAtOnce) {
  DUNLIN_FLEET(fleet);
  Member& gateway = fleet.add_gateway();
  Member& a = fleet.add_agent("a");
  Member& b = fleet.add_agent("b");
  std::mt19937 random(kSeed);
  for (int round = 0; round < 4; ++round) {
    DUNLIN_ASSERT_OK(fleet.start());
    {
      const Talker one(a), two(b);
      pause(random, 500);
      kill_agent(a);
      kill_gateway(fleet);
      fleet.broker().kill();
      kill_agent(b);
    }
    DUNLIN_ASSERT_OK(fleet.broker().restart());
  }
  DUNLIN_ASSERT_OK(fleet.start());
  EXPECT_EQ(fleet.converge(), "");
  EXPECT_EQ(gateway.readings(), a.readings() + b.readings());
}

TEST(Kill, WhatFlushAcknowledgedIsThere) {
  const test::TempDir folder;
  const std::string noted = folder.file("acknowledged");
  std::mt19937 random(kSeed);
  const auto numbers = [&](std::vector<std::int64_t>& out) {
    std::ifstream file(noted);
    out.clear();
    for (std::int64_t n = 0; file >> n;) out.push_back(n);
    return out.size();
  };
  std::vector<std::int64_t> acknowledged;
  for (int round = 0; round < 5; ++round) {
    const std::size_t before = numbers(acknowledged);
    auto child = test::ChildProcess::start(
        {.program = test::built_program("test-appender"),
         .args = {folder.file("data"), noted, std::to_string((round + 1) * 1'000'000)}});
    ASSERT_TRUE(child.ok());
    ASSERT_TRUE(test::eventually([&] { return numbers(acknowledged) > before + 3; }));
    pause(random, 100);  // anywhere between an append and its acknowledgement
    child->kill(SIGKILL);
    ASSERT_TRUE(child->wait(std::chrono::seconds(10)).has_value());
    numbers(acknowledged);
    auto reader = storage::Reader::open(folder.file("data") + "/log.db");
    ASSERT_TRUE(reader.ok());
    const auto table = reader->query("SELECT n FROM stream_numbers", {}, {.rows_max = 1'000'000});
    ASSERT_TRUE(table.ok());
    std::map<std::int64_t, int> held;
    for (const auto& row : table->rows) held[std::get<std::int64_t>(row[0])] += 1;
    for (const std::int64_t n : acknowledged) EXPECT_EQ(held[n], 1) << n;
    // At most the one reading whose acknowledgement nobody heard is there besides.
    EXPECT_LE(held.size(), acknowledged.size() + static_cast<std::size_t>(round) + 1);
  }
}

}  // namespace
}  // namespace dunlin
