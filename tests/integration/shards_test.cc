// A gateway that spreads the logs of others over several files: kill -9 and other numbers of them
// lose and double nothing, and SQL and status see one database.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "common/storage/shard_files.h"
#include "tests/support/eventually.h"
#include "tests/support/fleet.h"

namespace dunlin {
namespace {

using test::Fleet;
using test::Member;

constexpr int kAgents = 8;

std::string numbers(std::int64_t first, std::int64_t last) {
  std::string lines;
  for (std::int64_t n = first; n <= last; ++n)
    lines += "numbers n=" + std::to_string(n) + "i,half=" + std::to_string(n) + ".5\n";
  return lines;
}

// By what is in each of its files, without the gateway itself.
std::set<std::string> nodes_in(const Member& gateway, std::size_t shard) {
  std::set<std::string> nodes;
  const std::string schema = shard == 0 ? "main" : "shard" + std::to_string(shard);
  for (const auto& row :
       gateway.sql("SELECT DISTINCT lower(hex(node)) FROM " + schema + ".logs").rows) {
    const auto& node = std::get<std::string>(row[0]);
    if (node != gateway.node()) nodes.insert(node);
  }
  return nodes;
}

void set_shards(const Member& gateway, int shards) {
  std::ifstream in(gateway.config());
  std::string text{std::istreambuf_iterator<char>(in), {}};
  const std::size_t at = text.find("shards = ");
  text[at + 9] = static_cast<char>('0' + shards);
  std::ofstream(gateway.config()) << text;
}

TEST(Shards, KillsAndOtherNumbersLoseAndDoubleNothing) {
  DUNLIN_OPEN_FLEET(fleet);
  Member& gateway = fleet.add_gateway({.storage_keys = "shards = 2\n"});
  for (int i = 0; i < kAgents; ++i) {
    fleet.add_agent("agent" + std::to_string(i),
                    {.track_keys = "flush_interval = \"10ms\"\nflush_readings = 20\n"});
  }
  DUNLIN_ASSERT_OK(fleet.start());
  std::int64_t said = 0;
  const auto say = [&](std::int64_t more) {
    for (const auto& agent : fleet.agents())
      ASSERT_TRUE(agent->say(numbers(said + 1, said + more))) << agent->name();
    said += more;
  };
  const auto whole = [&] {
    EXPECT_EQ(fleet.converge(), "");
    EXPECT_EQ(gateway.sql_integer("SELECT count(*) FROM stream_numbers"), kAgents * said);
    EXPECT_EQ(gateway.sql_integer("SELECT count(*) FROM (SELECT DISTINCT node, n FROM"
                                  " stream_numbers)"),
              kAgents * said);
    EXPECT_EQ(gateway.sql_integer("SELECT count(DISTINCT node) FROM nodes"), kAgents + 1);
    EXPECT_TRUE(gateway.events("database_damaged").empty());
  };
  for (int round = 0; round < 4; ++round) {
    say(400);
    gateway.kill();  // in the midst of it
    say(100);
    DUNLIN_ASSERT_OK(gateway.start());
  }
  whole();
  const std::vector<std::set<std::string>> homes{nodes_in(gateway, 0), nodes_in(gateway, 1)};
  EXPECT_EQ(homes[0].size() + homes[1].size(), static_cast<std::size_t>(kAgents));

  // Other numbers: who is there stays there, and nobody is forgotten.
  for (const int shards : {1, 3, 2}) {
    SCOPED_TRACE(shards);
    ASSERT_EQ(gateway.stop(), 0);
    set_shards(gateway, shards);
    DUNLIN_ASSERT_OK(gateway.start());
    say(200);
    whole();
    EXPECT_EQ(nodes_in(gateway, 0), homes[0]);
    EXPECT_EQ(nodes_in(gateway, 1), homes[1]);
  }
  EXPECT_EQ(storage::further_shards(gateway.database()).size(), 2u);
  for (const auto& agent : fleet.agents())
    EXPECT_EQ(gateway.status(agent->node(), "readings"), said) << agent->name();
}

}  // namespace
}  // namespace dunlin
