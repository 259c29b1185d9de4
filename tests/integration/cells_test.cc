// One gateway that serves several cells: each is heard, told and accounted for on its own.
#include <gtest/gtest.h>
#include <signal.h>

#include <map>
#include <mutex>
#include <optional>
#include <set>

#include "common/replication/envelope.h"
#include "dunlin/transport.h"
#include "tests/support/eventually.h"
#include "tests/support/fleet.h"

namespace dunlin {
namespace {

using nlohmann::json;
using replication::Hello;
using replication::NodeState;
using test::Fleet;
using test::Member;

constexpr const char* kBothCells = "cells = [\"north\", \"south\"]\n";
constexpr const char* kNorth = "cell = \"north\"\n";
constexpr const char* kSouth = "cell = \"south\"\n";

std::string numbers(std::int64_t first, std::int64_t last) {
  std::string lines;
  for (std::int64_t n = first; n <= last; ++n) lines += "numbers n=" + std::to_string(n) + "i\n";
  return lines;
}

// Keeps the last Hello of every topic of the fleet.
class Listener final : public TransportEvents {
 public:
  explicit Listener(const std::string& url) {
    TransportOptions options;
    options.url = url;
    options.client_id = "listener";
    transport_ = std::move(make_transport(options)).value();
    EXPECT_TRUE(transport_->start(*this, {{"dunlin/v1/default/#", 1}}, {}).ok());
  }
  ~Listener() override { transport_->stop(true); }

  // What `cell`/`rest` says of its node's state; nothing when it says nothing.
  std::optional<NodeState> state(const std::string& cell, const std::string& rest) const {
    const std::lock_guard lock(mutex_);
    const auto hello = hellos_.find("dunlin/v1/default/" + cell + "/" + rest);
    return hello == hellos_.end() ? std::nullopt : std::optional(hello->second.state);
  }

 private:
  void on_connected() override {}
  void on_disconnected(const Error&) override {}
  void on_message(std::string_view topic, ByteView payload, bool) override {
    const auto envelope = replication::decode_envelope(payload);
    if (!envelope.ok()) return;
    const auto* hello = std::get_if<Hello>(&envelope->message);
    const std::lock_guard lock(mutex_);
    if (hello != nullptr) hellos_[std::string(topic)] = *hello;
  }

  mutable std::mutex mutex_;
  std::map<std::string, Hello> hellos_;
  std::unique_ptr<Transport> transport_;
};

std::set<std::string> known_nodes(const Member& member) {
  std::set<std::string> names;
  const json answer = member.get_json("/v1/nodes");
  if (!answer.is_object()) return names;
  for (const json& node : answer["nodes"]) {
    names.insert(node["name"].get<std::string>() + "@" + node["cell"].get<std::string>() + ":" +
                 node["state"].get<std::string>());
  }
  return names;
}

// "<nodes>/<lag_entries_max>" of a cell on /v1/lag.
std::string lag(const Member& gateway, const std::string& cell) {
  const json answer = gateway.get_json("/v1/lag");
  if (!answer.is_object()) return "no answer";
  for (const json& each : answer["cells"]) {
    if (each["cell"] == cell)
      return std::to_string(each["nodes"].get<int>()) + "/" +
             std::to_string(each["lag_entries_max"].get<int>());
  }
  return "unknown";
}

TEST(Cells, OneGatewayServesSeveral) {
  DUNLIN_OPEN_FLEET(fleet);
  Member& gateway = fleet.add_gateway({.node_keys = kBothCells});
  Member& a = fleet.add_agent("a", {.node_keys = kNorth});
  Member& b = fleet.add_agent("b", {.node_keys = kSouth});
  Member& c = fleet.add_agent("c", {.node_keys = kSouth, .broker_keys = "protocol = 4\n"});
  DUNLIN_ASSERT_OK(fleet.start());
  ASSERT_TRUE(a.say(numbers(1, 100)) && b.say(numbers(1, 200)) && c.say(numbers(1, 300)));
  ASSERT_TRUE(test::eventually(
      [&] { return a.readings() == 100 && b.readings() == 200 && c.readings() == 300; }));
  EXPECT_EQ(fleet.converge(), "");
  EXPECT_EQ(gateway.readings(), 600);

  // Presence is told in the cell of each node, and the gateway's in all of its cells.
  const Listener listener(fleet.broker().url());
  const std::string gate = "gate/" + gateway.node();
  for (const char* cell : {"north", "south"}) {
    EXPECT_TRUE(test::eventually([&] { return listener.state(cell, gate) == NodeState::up; }))
        << cell;
  }
  const auto says = [&](const char* cell, const Member& agent, NodeState state) {
    return test::eventually([&] { return listener.state(cell, "hello/" + agent.node()) == state; });
  };
  EXPECT_TRUE(says("north", a, NodeState::up));
  EXPECT_TRUE(says("south", b, NodeState::up) && says("south", c, NodeState::up));
  EXPECT_EQ(listener.state("south", "hello/" + a.node()), std::nullopt);
  EXPECT_EQ(listener.state("north", "hello/" + b.node()), std::nullopt);
  EXPECT_EQ(known_nodes(gateway),
            (std::set<std::string>{"a@north:up", "b@south:up", "c@south:up", "gateway@north:up"}));
  EXPECT_EQ(known_nodes(a), (std::set<std::string>{"a@north:up", "gateway@north:up"}));
  EXPECT_EQ(known_nodes(b), (std::set<std::string>{"b@south:up", "gateway@south:up"}));
  EXPECT_EQ(lag(gateway, "north"), "1/0");
  EXPECT_EQ(lag(gateway, "south"), "2/0");

  // A node that dies is told of in its own cell.
  b.kill();
  EXPECT_TRUE(says("south", b, NodeState::down));
  EXPECT_TRUE(test::eventually([&] {
    return known_nodes(gateway) ==
           std::set<std::string>{"a@north:up", "b@south:down", "c@south:up", "gateway@north:up"};
  }));
  a.kill();
  EXPECT_TRUE(says("north", a, NodeState::down));
  DUNLIN_ASSERT_OK(fleet.start());
  EXPECT_TRUE(says("north", a, NodeState::up) && says("south", b, NodeState::up));
  ASSERT_TRUE(a.say(numbers(101, 150)) && b.say(numbers(201, 250)));
  ASSERT_TRUE(test::eventually([&] { return a.readings() == 150 && b.readings() == 250; }));
  EXPECT_EQ(fleet.converge(), "");
  EXPECT_EQ(listener.state("south", "hello/" + a.node()), std::nullopt);
}

// An agent that has told how far its log goes, and then holds still, is behind in its own cell.
TEST(Cells, LagIsThatOfTheCell) {
  DUNLIN_OPEN_FLEET(fleet);
  Member& gateway = fleet.add_gateway({.node_keys = kBothCells});
  Member& a = fleet.add_agent("a", {.node_keys = kNorth});
  Member& b = fleet.add_agent("b", {.node_keys = kSouth});
  DUNLIN_ASSERT_OK(fleet.start());
  ASSERT_TRUE(a.say(numbers(1, 100)) && b.say(numbers(1, 100)));
  ASSERT_TRUE(test::eventually([&] { return a.readings() == 100 && b.readings() == 100; }));
  ASSERT_EQ(fleet.converge(), "");
  ASSERT_EQ(gateway.stop(), 0);
  ASSERT_TRUE(b.say(numbers(101, 200)));
  ASSERT_TRUE(test::eventually([&] { return b.readings() == 200; }));
  // They connect anew, and a Hello says how far its node is now.
  fleet.broker().stop();
  DUNLIN_ASSERT_OK(fleet.broker().restart());
  const Listener listener(fleet.broker().url());
  const auto is_up = [&](const std::string& cell, const Member& agent) {
    return listener.state(cell, "hello/" + agent.node()) == NodeState::up;
  };
  ASSERT_TRUE(test::eventually([&] { return is_up("north", a) && is_up("south", b); }));
  b.process().kill(SIGSTOP);
  DUNLIN_ASSERT_OK(gateway.start());
  EXPECT_TRUE(test::eventually([&] {
    return gateway.metric("dunlin_lag_entries_max{cell=\"south\"}") > 0;
  })) << lag(gateway, "south");
  EXPECT_NE(lag(gateway, "south"), "1/0");
  EXPECT_EQ(lag(gateway, "north"), "1/0");
  EXPECT_EQ(gateway.metric("dunlin_lag_entries_max{cell=\"north\"}"), 0);
  b.process().kill(SIGCONT);
  EXPECT_EQ(fleet.converge(), "");
  EXPECT_EQ(lag(gateway, "south"), "1/0");
  EXPECT_EQ(gateway.metric("dunlin_lag_entries_max{cell=\"south\"}"), 0);
}

// Its Hello of old stays retained in the cell that it left, and is no place to answer to.
TEST(Cells, AnAgentMovesFromOneToAnother) {
  DUNLIN_OPEN_FLEET(fleet);
  Member& gateway = fleet.add_gateway({.node_keys = kBothCells});
  Member& before = fleet.add_agent("before", {.node_keys = kSouth});
  DUNLIN_ASSERT_OK(fleet.start());
  ASSERT_TRUE(before.say(numbers(1, 100)));
  ASSERT_TRUE(test::eventually([&] { return before.readings() == 100; }));
  ASSERT_EQ(fleet.converge(), "");
  EXPECT_EQ(before.stop(), 0);
  ASSERT_EQ(gateway.stop(), 0);

  Member& after = fleet.add_agent("after", {.node_keys = kNorth, .data_dir = before.data_dir()});
  DUNLIN_ASSERT_OK(after.start());
  ASSERT_EQ(after.node(), before.node());
  for (std::int64_t n = 101; n < 200; n += 10) {  // more than one segment, so that it must fetch
    ASSERT_TRUE(after.say(numbers(n, n + 9)));
    ASSERT_TRUE(test::eventually([&] { return after.readings() == n + 9; }));
  }
  DUNLIN_ASSERT_OK(gateway.start());
  EXPECT_TRUE(test::eventually([&] { return gateway.readings(after.node()) == 200; }))
      << gateway.readings(after.node()) << "\n"
      << gateway.get("/v1/nodes").body;
  EXPECT_EQ(Fleet::difference(after, gateway), "");
  EXPECT_TRUE(test::eventually([&] { return lag(gateway, "north") == "1/0"; }));
  EXPECT_EQ(lag(gateway, "south"), "unknown");
}

}  // namespace
}  // namespace dunlin
