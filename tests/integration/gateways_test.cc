// Gateways that serve some cells each and meet in the backbone: every one keeps what all cells say,
// whoever of them comes, goes or stays away. Real programs and mosquitto, with the rights of a
// fleet.
#include <map>

#include "common/storage/sqlite.h"
#include "tests/integration/three_gateways.h"

namespace dunlin {
namespace {

using nlohmann::json;
using test::Member;
using test::ThreeGateways;

// Every gateway has all that was said, once, and nothing began anew.
void expect_whole(test::Fleet& fleet, ThreeGateways& three) {
  EXPECT_EQ(three.each_once(), "");
  for (const auto& gateway : fleet.gateways()) {
    EXPECT_EQ(gateway->get_json("/v1/gaps")["gaps"].size(), 0u) << gateway->name();
    EXPECT_TRUE(gateway->events("fork_detected").empty()) << gateway->name();
    EXPECT_TRUE(gateway->events("epoch_begun").empty()) << gateway->name();
  }
}

TEST(Gateways, EachKeepsWhatAllCellsSay) {
  DUNLIN_FLEET(fleet);
  ThreeGateways three(fleet);
  ASSERT_TRUE(three.begin(200));
  for (Member* crashes : {&three.south, &three.both, &three.north}) {
    crashes->kill();
    ASSERT_TRUE(three.says_more(200));
    DUNLIN_ASSERT_OK(crashes->start());
    ASSERT_TRUE(three.says_more(200));
  }
  three.hush();
  expect_whole(fleet, three);
}

// As the program before this one left it.
void make_older(const std::string& database) {
  auto db = storage::Connection::open(database, SQLITE_OPEN_READWRITE);
  ASSERT_TRUE(db.ok()) << db.error().message();
  DUNLIN_ASSERT_OK(db->execute("DROP TABLE sightings; PRAGMA user_version = 3"));
}

TEST(Gateways, ARollingUpgradeLosesAndDoublesNothing) {
  DUNLIN_FLEET(fleet);
  ThreeGateways three(fleet);
  ASSERT_TRUE(three.begin(200));
  for (Member* upgraded : {&three.south, &three.both, &three.north}) {
    ASSERT_EQ(upgraded->stop(), 0);
    make_older(upgraded->database());
    ASSERT_TRUE(three.says_more(200));
    DUNLIN_ASSERT_OK(upgraded->start());
    ASSERT_TRUE(three.says_more(200));
  }
  three.hush();
  expect_whole(fleet, three);
}

TEST(Gateways, OneThatComesLateGetsWhatWasSaidBefore) {
  DUNLIN_FLEET(fleet);
  ThreeGateways three(fleet);
  ASSERT_TRUE(three.begin(1000));
  three.add("gate-late", {"south"});
  DUNLIN_ASSERT_OK(fleet.start());
  ASSERT_TRUE(three.says_more(200));
  three.hush();
  EXPECT_EQ(three.each_once(), "");
}

TEST(Gateways, OneThatNeverComesBackIsNotMissed) {
  DUNLIN_FLEET(fleet);
  ThreeGateways three(fleet);
  ASSERT_TRUE(three.begin(200));
  three.both.kill();
  ASSERT_TRUE(three.says_more(1000));
  three.hush();
  EXPECT_EQ(three.each_once(), "");
}

// A node is heard in the cells of a gateway; of others it has the logs.
TEST(Gateways, NodesOfOtherCellsAreRemote) {
  DUNLIN_FLEET(fleet);
  ThreeGateways three(fleet);
  DUNLIN_ASSERT_OK(fleet.start());
  for (const char* cell : {"north", "south"}) ASSERT_TRUE(three.mark(cell, cell));
  const auto states = [](const Member& gateway) {
    std::map<std::string, std::string> said;
    const json answer = gateway.get_json("/v1/nodes");
    for (const json& node : answer["nodes"]) {
      if (node["state"].is_string()) said[node["name"]] = node["state"];
    }
    return said;
  };
  const auto expected = [](const std::string& north, const std::string& south) {
    std::map<std::string, std::string> said{
        {"gate-north", "up"}, {"gate-both", "up"}, {"gate-south", "up"}};
    for (const std::string n : {"1", "2", "3"})
      said["north-" + n] = north, said["south-" + n] = south;
    return said;
  };
  const auto expect_states = [&](Member& gateway, const std::map<std::string, std::string>& there) {
    EXPECT_TRUE(test::eventually([&] { return states(gateway) == there; }))
        << gateway.name() << "\n"
        << gateway.get("/v1/nodes").body << gateway.get("/v1/lag").body;
  };
  expect_states(three.north, expected("up", "remote"));
  expect_states(three.both, expected("up", "up"));
  expect_states(three.south, expected("remote", "up"));
}

}  // namespace
}  // namespace dunlin
