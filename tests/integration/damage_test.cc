// A damaged database is set aside and never overwritten; what reads back is kept under its old
// epoch.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <random>
#include <set>

#include "tests/support/eventually.h"
#include "tests/support/fleet.h"

namespace dunlin {
namespace {

using nlohmann::json;
using test::Fleet;
using test::Member;

// Readings that do not compress well.
std::string numbers(std::int64_t first, std::int64_t last) {
  std::string lines;
  for (std::int64_t n = first; n <= last; ++n) {
    std::mt19937_64 random(static_cast<std::uint64_t>(n));
    const std::string number = std::to_string(n);
    lines += "numbers n=" + number + "i,noise=\"" + std::to_string(random()) +
             std::to_string(random()) + "\" " + number + "000000\n";
  }
  return lines;
}

// Says them a hundred at a time, so that they lie in many segments.
::testing::AssertionResult fill(const Member& agent, std::int64_t first, std::int64_t last) {
  const std::int64_t before = agent.readings();
  for (std::int64_t n = first; n <= last; n += 100) {
    const std::int64_t end = std::min(n + 99, last);
    const bool there = agent.say(numbers(n, end)) && test::eventually([&] {
                         return agent.readings() == before + end - first + 1;
                       });
    if (!there) return ::testing::AssertionFailure() << agent.readings() << " of " << end;
  }
  return ::testing::AssertionSuccess();
}

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_bytes(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

enum class Damage { pages, truncated, header };

std::string damaged(std::string bytes, Damage damage) {
  const auto header = [&](std::size_t at) { return static_cast<unsigned char>(bytes[at]); };
  const std::size_t page_bytes = header(16) * std::size_t{256} + header(17);
  std::mt19937 random(11);
  switch (damage) {
    case Damage::pages:
      // Not the first ones, which hold the schema, as the case of the header, and the first segment
      // of track 0: an epoch whose definitions are gone is kept, but nobody can read it.
      for (std::size_t page = 70'000 / page_bytes; page < bytes.size() / page_bytes; page += 40) {
        for (std::size_t i = 0; i < page_bytes; ++i)
          bytes[page * page_bytes + i] = static_cast<char>(random());
      }
      break;
    case Damage::truncated:
      bytes.resize(bytes.size() / page_bytes / 2 * page_bytes);
      break;
    case Damage::header:
      std::fill_n(bytes.begin(), 100, '\0');
      break;
  }
  return bytes;
}

// Files beside the database whose names say that they were set aside, without -wal and -shm.
std::vector<std::string> set_aside(const Member& member) {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(member.data_dir())) {
    const std::string name = entry.path().filename();
    const bool main = !name.ends_with("-wal") && !name.ends_with("-shm");
    if (name.starts_with("log.db.damaged-") && main) found.push_back(entry.path());
  }
  return found;
}

std::set<std::string> epochs(const Member& member, const std::string& node) {
  std::set<std::string> found;
  for (const auto& row :
       member.sql("SELECT DISTINCT epoch FROM stream_numbers WHERE node = '" + node + "'").rows) {
    found.insert(std::get<std::string>(row[0]));
  }
  return found;
}

std::set<std::int64_t> held(const Member& member, const std::string& node) {
  std::set<std::int64_t> found;
  const auto rows = member.sql("SELECT n FROM stream_numbers WHERE node = '" + node + "'").rows;
  for (const auto& row : rows) found.insert(std::get<std::int64_t>(row[0]));
  EXPECT_EQ(found.size(), rows.size()) << "doubled readings at " << member.name();
  return found;
}

std::int64_t gap_entries(const Member& gateway, const std::string& node) {
  std::int64_t sum = 0;
  const json answer = gateway.get_json("/v1/gaps");
  if (!answer.is_object()) return -1;
  for (const json& gap : answer["gaps"]) {
    if (gap["node"] == node)
      sum += gap["last"].get<std::int64_t>() - gap["first"].get<std::int64_t>() + 1;
  }
  return sum;
}

constexpr const char* kSmallEntries = "flush_interval = \"20ms\"\nflush_readings = 10\n";

class DamageTest : public testing::TestWithParam<Damage> {
 protected:
  // Damages the file of a stopped member and starts it; how it looked before it started.
  std::string damage_and_start(Member& member) {
    EXPECT_FALSE(std::filesystem::exists(member.database() + "-wal"));
    const std::string bytes = damaged(bytes_of(member.database()), GetParam());
    write_bytes(member.database(), bytes);
    const auto started = member.start();
    EXPECT_TRUE(started.ok()) << started.error().message();
    return bytes;
  }
  static void expect_set_aside(const Member& member, const std::string& bytes) {
    const std::vector<std::string> aside = set_aside(member);
    ASSERT_EQ(aside.size(), 1u);
    EXPECT_TRUE(bytes_of(aside.front()) == bytes) << aside.front() << " is not as it was";
    ASSERT_EQ(member.events("database_damaged").size(), 1u);
    EXPECT_EQ(member.events("database_damaged")[0]["set_aside"], aside.front());
  }
};

// The gateway has everything of the old epoch: nothing at all is missing.
TEST_P(DamageTest, AgentGoesOnInANewEpoch) {
  DUNLIN_FLEET(fleet);
  Member& gateway = fleet.add_gateway();
  Member& a = fleet.add_agent("a", {.track_keys = kSmallEntries});
  DUNLIN_ASSERT_OK(fleet.start());
  ASSERT_TRUE(fill(a, 1, 3000));
  ASSERT_EQ(fleet.converge(), "");
  const std::string old_node = a.node();
  const auto before = gateway.samples(a.node());
  ASSERT_EQ(a.stop(), 0);

  const std::string bytes = damage_and_start(a);
  EXPECT_EQ(a.node(), old_node);
  expect_set_aside(a, bytes);
  ASSERT_TRUE(a.say(numbers(3001, 3100)));
  ASSERT_TRUE(test::eventually([&] { return held(gateway, a.node()).size() == 3100; }))
      << gateway.log();
  EXPECT_EQ(epochs(gateway, a.node()).size(), 2u);
  EXPECT_EQ(gap_entries(gateway, a.node()), 0);
  const std::string first_epoch = std::get<std::string>(before[0][2]);
  auto after = gateway.samples(a.node());
  std::erase_if(after,
                [&](const auto& row) { return std::get<std::string>(row[2]) != first_epoch; });
  EXPECT_TRUE(after == before);
  // What the agent still has of the old epoch is what it was.
  std::set<std::int64_t> salvaged = held(a, a.node());
  EXPECT_EQ(salvaged.erase(3100), 1u);
  if (GetParam() == Damage::pages) {
    EXPECT_GT(salvaged.size(), 2000u);
  }

  // It stays so at the next start, and nothing is set aside again.
  ASSERT_EQ(a.stop(), 0);
  DUNLIN_ASSERT_OK(a.start());
  ASSERT_TRUE(a.say(numbers(3101, 3110)));
  ASSERT_TRUE(test::eventually([&] { return held(gateway, a.node()).size() == 3110; }));
  EXPECT_EQ(set_aside(a).size(), 1u);
}

// The gateway was away: what the damage took of the old epoch is a gap there, the rest arrives.
TEST_P(DamageTest, WhatNobodyHasShowsInTheGaps) {
  DUNLIN_FLEET(fleet);
  Member& gateway = fleet.add_gateway();
  Member& a = fleet.add_agent("a", {.track_keys = kSmallEntries});
  DUNLIN_ASSERT_OK(fleet.start());
  ASSERT_TRUE(a.say(numbers(1, 100)));
  ASSERT_TRUE(test::eventually([&] { return a.readings() == 100; }));
  ASSERT_EQ(fleet.converge(), "");
  ASSERT_EQ(gateway.stop(), 0);
  ASSERT_TRUE(fill(a, 101, 3000));
  ASSERT_EQ(a.stop(), 0);

  const std::string bytes = damage_and_start(a);
  expect_set_aside(a, bytes);
  std::set<std::int64_t> expected = held(a, a.node());
  for (std::int64_t n = 1; n <= 100; ++n) expected.insert(n);
  EXPECT_GT(expected.size(), 500u);
  if (GetParam() != Damage::header) {
    EXPECT_LT(expected.size(), 3000u);
  }
  DUNLIN_ASSERT_OK(gateway.start());
  ASSERT_TRUE(a.say(numbers(3001, 3100)));
  for (std::int64_t n = 3001; n <= 3100; ++n) expected.insert(n);
  ASSERT_TRUE(test::eventually([&] { return held(gateway, a.node()) == expected; }))
      << held(gateway, a.node()).size() << " of " << expected.size() << "\n"
      << gateway.log();
  if (GetParam() == Damage::header) {
    EXPECT_EQ(expected.size(), 3100u);  // the header is the same in every file, so nothing is lost
    EXPECT_EQ(gap_entries(gateway, a.node()), 0);
  } else if (GetParam() == Damage::pages) {
    // The agent says last how long the old epoch was.
    const std::int64_t lost = 3100 - static_cast<std::int64_t>(expected.size());
    const auto lag_is = [&](std::int64_t gaps) {
      const json nodes = gateway.get_json("/v1/nodes")["nodes"];
      return std::ranges::all_of(nodes, [&](const json& node) {
        return node["lag_entries"] == (node["role"] == "agent" ? gaps : 0);
      });
    };
    EXPECT_TRUE(test::eventually([&] {
      const std::int64_t gaps = gap_entries(gateway, a.node());
      return gaps > 0 && gaps >= lost / 10 && lag_is(gaps);
    })) << gap_entries(gateway, a.node())
        << gateway.get_json("/v1/nodes");
  }
}

// A gateway fetches from its agents what it lost.
TEST_P(DamageTest, GatewayFetchesAgain) {
  DUNLIN_FLEET(fleet);
  Member& gateway = fleet.add_gateway();
  Member& a = fleet.add_agent("a", {.track_keys = kSmallEntries});
  Member& b = fleet.add_agent("b", {.track_keys = kSmallEntries});
  DUNLIN_ASSERT_OK(fleet.start());
  ASSERT_TRUE(fill(a, 1, 2000) && fill(b, 1, 1000));
  ASSERT_EQ(fleet.converge(), "");
  ASSERT_EQ(gateway.stop(), 0);
  ASSERT_TRUE(b.say(numbers(1001, 1100)));
  ASSERT_TRUE(test::eventually([&] { return b.readings() == 1100; }));

  const std::string bytes = damage_and_start(gateway);
  expect_set_aside(gateway, bytes);
  EXPECT_EQ(fleet.converge(), "");
  EXPECT_EQ(held(gateway, a.node()).size(), 2000u);
  EXPECT_EQ(held(gateway, b.node()).size(), 1100u);
  EXPECT_EQ(gap_entries(gateway, a.node()), 0);
}

std::string name_of(const testing::TestParamInfo<Damage>& damage) {
  if (damage.param == Damage::pages) return "Pages";
  return damage.param == Damage::truncated ? "Truncated" : "Header";
}

INSTANTIATE_TEST_SUITE_P(Of, DamageTest,
                         testing::Values(Damage::pages, Damage::truncated, Damage::header),
                         name_of);

}  // namespace
}  // namespace dunlin
