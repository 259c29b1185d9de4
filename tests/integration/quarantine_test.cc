// What a gateway refused, in the operator's hands. The program dunlin beside one that runs.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "common/storage/quarantine.h"
#include "tests/support/eventually.h"
#include "tests/support/fleet.h"

namespace dunlin {
namespace {

using nlohmann::json;
using test::Fleet;
using test::Member;

class QuarantineCommand : public testing::Test {
 protected:
  int dunlin(const Member& gateway, std::vector<std::string> args) {
    args.insert(args.begin(), "quarantine");
    args.insert(args.end(), {"--data-dir", gateway.data_dir()});
    std::filesystem::remove(said_);
    return test::run_program({.program = test::built_program("dunlin"),
                              .args = std::move(args),
                              .env = {},
                              .output_file = said_})
        .value_or(-1);
  }
  std::string said() const {
    std::ifstream file(said_);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  json list(const Member& gateway) {
    EXPECT_EQ(dunlin(gateway, {"list", "--json"}), 0) << said();
    return json::parse(said(), nullptr, false);
  }

  test::TempDir folder_;
  std::string said_ = folder_.file("said");
};

TEST_F(QuarantineCommand, ListsReleasesAndDiscards) {
  DUNLIN_FLEET(fleet);
  Member& gateway = fleet.add_gateway();
  Member& agent = fleet.add_agent("a");
  DUNLIN_ASSERT_OK(fleet.start());
  ASSERT_TRUE(agent.say("air t=1.5\n"));
  ASSERT_EQ(fleet.converge(), "");
  // A segment of the agent's that somebody altered, as if it had come.
  storage::Connection own =
      storage::Connection::open(agent.database(), SQLITE_OPEN_READWRITE).value();
  storage::Statement newest =
      own.prepare("SELECT body FROM segments ORDER BY last DESC, id DESC LIMIT 1").value();
  ASSERT_TRUE(newest.step().value());
  Bytes bytes(newest.blob(0).begin(), newest.blob(0).end());
  newest.reset();
  storage::Connection db =
      storage::Connection::open(gateway.database(), SQLITE_OPEN_READWRITE).value();
  sqlite3_busy_timeout(db.raw(), 10'000);
  const NodeId peer = NodeId::from_string(agent.node()).value();
  bytes[bytes.size() / 2] ^= 1;
  ASSERT_TRUE(storage::Quarantine(db)
                  .keep({peer, Errc::untrusted, "a test", 1, std::make_shared<const Bytes>(bytes)})
                  .ok());
  EXPECT_TRUE(test::eventually([&] { return gateway.metric("dunlin_quarantine_items") == 1; }));
  json items = list(gateway);
  ASSERT_EQ(items.size(), 1u) << said();
  EXPECT_EQ(items[0]["reason"], "untrusted");
  EXPECT_EQ(items[0]["peer"], agent.node());
  const std::string id = std::to_string(items[0]["id"].get<int>());
  ASSERT_EQ(dunlin(gateway, {"list"}), 0);
  EXPECT_NE(said().find("untrusted"), std::string::npos) << said();

  // It is looked at again, and comes back for what is wrong with it.
  EXPECT_EQ(dunlin(gateway, {"release", id}), 0) << said();
  EXPECT_TRUE(test::eventually([&] {
    items = list(gateway);
    return items.size() == 1 && items[0]["reason"] != "untrusted";
  })) << said();
  EXPECT_FALSE(items[0]["released"].get<bool>());
  EXPECT_EQ(gateway.metric("dunlin_quarantined_total{reason=\"" +
                           items[0]["reason"].get<std::string>() + "\"}"),
            1);
  EXPECT_EQ(dunlin(gateway, {"release", "4711"}), 1);
  EXPECT_EQ(dunlin(gateway, {"discard"}), 2);
  EXPECT_EQ(dunlin(gateway, {"discard", "--all"}), 0) << said();
  EXPECT_EQ(list(gateway).size(), 0u);
  ASSERT_TRUE(agent.say("air t=2.5\n"));
  EXPECT_EQ(fleet.converge(), "") << "it never blocks";
}

}  // namespace
}  // namespace dunlin
