#include "common/transport/memory/memory_transport.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace dunlin {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Peer final : TransportEvents {
  Peer(std::shared_ptr<MemoryBus> bus, std::string id,
       std::vector<Transport::Subscription> subscriptions, Will will = {})
      : transport(std::move(bus), options_of(std::move(id))) {
    EXPECT_TRUE(transport.start(*this, std::move(subscriptions), std::move(will)).ok());
  }
  static TransportOptions options_of(std::string id) {
    TransportOptions options;
    options.client_id = std::move(id);
    options.in_flight_bytes_max = 1000;
    return options;
  }
  Result<void> say(const std::string& topic, std::string_view text, PublishOptions options = {}) {
    return transport.publish(topic, as_bytes(text), options);
  }

  void on_connected() override { log.push_back("connected"); }
  void on_disconnected(const Error&) override { log.push_back("disconnected"); }
  void on_message(std::string_view topic, ByteView payload, bool retained) override {
    log.push_back(std::string(topic) + "=" + std::string(as_text(payload)) +
                  (retained ? " retained" : ""));
  }
  std::vector<std::string> take() { return std::exchange(log, {}); }

  std::vector<std::string> log;
  MemoryTransport transport;
};

using Log = std::vector<std::string>;

struct MemoryTransportTest : testing::Test {
  void run(Duration time = milliseconds(0)) { bus->run_until(bus->now() + time); }
  std::shared_ptr<MemoryBus> bus = std::make_shared<MemoryBus>(1);
};

TEST_F(MemoryTransportTest, DeliversOnlyWhenTheBusRuns) {
  Peer a(bus, "a", {});
  Peer b(bus, "b", {{"x/+", 0}});
  EXPECT_EQ(a.say("x/1", "early").error().code, Errc::not_connected);
  run();
  EXPECT_EQ(b.take(), Log{"connected"});
  ASSERT_TRUE(a.say("x/1", "hello").ok());
  ASSERT_TRUE(a.say("y", "nobody").ok());
  EXPECT_EQ(b.take(), Log{});
  EXPECT_EQ(bus->pending(), 2u);
  EXPECT_TRUE(bus->run_one());
  run();
  EXPECT_EQ(b.take(), Log{"x/1=hello"});
  EXPECT_EQ(bus->pending(), 0u);
  EXPECT_EQ(bus->next_deadline(), std::nullopt);
}

TEST_F(MemoryTransportTest, KeepsRetainedMessages) {
  Peer a(bus, "a", {});
  run();
  ASSERT_TRUE(a.say("state", "old", {.qos = 1, .retain = true}).ok());
  ASSERT_TRUE(a.say("state", "new", {.qos = 1, .retain = true}).ok());
  ASSERT_TRUE(a.say("gone", "1", {.qos = 1, .retain = true}).ok());
  ASSERT_TRUE(a.say("gone", "", {.qos = 1, .retain = true}).ok());
  run();
  Peer b(bus, "b", {{"#", 0}});
  run();
  EXPECT_EQ(b.take(), (Log{"connected", "state=new retained"}));
}

TEST_F(MemoryTransportTest, ListensToOtherTopicsFromNowOn) {
  Peer a(bus, "a", {});
  Peer b(bus, "b", {{"x/+", 0}, {"y", 0}});
  run();
  ASSERT_TRUE(a.say("x/1", "1", {.retain = true}).ok());
  ASSERT_TRUE(a.say("x/2", "1", {.retain = true}).ok());
  ASSERT_TRUE(a.say("y", "1", {.retain = true}).ok());
  run();
  EXPECT_EQ(b.take(), (Log{"connected", "x/1=1", "x/2=1", "y=1"}));
  b.transport.listen({{"x/1", 0}, {"y", 0}});
  run();
  EXPECT_EQ(b.take(), Log{"x/1=1 retained"});
  ASSERT_TRUE(a.say("x/1", "2").ok());
  ASSERT_TRUE(a.say("x/2", "2").ok());
  run();
  EXPECT_EQ(b.take(), Log{"x/1=2"});
  bus->break_link("b");
  run(seconds(1));
  EXPECT_EQ(b.take(), (Log{"disconnected", "connected", "x/1=1 retained", "y=1 retained"}));
}

TEST_F(MemoryTransportTest, PublishesWillsOfBrokenAndKilledClientsOnly) {
  const Will will{"status", Bytes{'x'}, {.qos = 1, .retain = true}};
  Peer watcher(bus, "watcher", {{"status", 1}});
  {
    Peer graceful(bus, "graceful", {}, will);
    run();
    ASSERT_TRUE(graceful.say("status", "bye").ok());
  }
  run();
  EXPECT_EQ(watcher.take(), (Log{"connected", "status=bye"}));

  Peer broken(bus, "broken", {}, will);
  run();
  bus->break_link("broken");
  run(seconds(1));
  EXPECT_EQ(watcher.take(), Log{"status=x"});
  EXPECT_EQ(broken.take(), (Log{"connected", "disconnected", "connected"}));

  bus->kill("broken");
  run(seconds(5));
  EXPECT_EQ(watcher.take(), Log{"status=x"});
  EXPECT_EQ(broken.take(), Log{});

  Peer rude(bus, "rude", {}, will);
  run();
  rude.transport.stop(false);
  run();
  EXPECT_EQ(watcher.take(), Log{"status=x"});
}

TEST_F(MemoryTransportTest, PartitionLosesSilentlyUntilHealed) {
  Peer a(bus, "a", {});
  Peer b(bus, "b", {{"x", 0}});
  run();
  b.take();
  bus->partition("b");
  ASSERT_TRUE(a.say("x", "lost").ok());
  run();
  bus->break_link("b");
  run(seconds(60));
  EXPECT_EQ(b.take(), Log{"disconnected"});
  bus->heal("b");
  run(seconds(1));
  ASSERT_TRUE(a.say("x", "back").ok());
  run();
  EXPECT_EQ(b.take(), (Log{"connected", "x=back"}));
  EXPECT_EQ(bus->counters().lost, 1u);
}

TEST_F(MemoryTransportTest, BrokerRestartReconnectsEverybody) {
  const Will will{"status", Bytes{'x'}, {.qos = 1, .retain = true}};
  Peer a(bus, "a", {{"#", 0}}, will);
  Peer b(bus, "b", {{"#", 0}}, will);
  run();
  bus->stop_broker();
  EXPECT_EQ(a.say("x", "1").error().code, Errc::not_connected);
  run(seconds(30));
  bus->start_broker();
  run(seconds(1));
  EXPECT_EQ(a.take(), (Log{"connected", "disconnected", "connected"}));
  EXPECT_EQ(b.take(), (Log{"connected", "disconnected", "connected"}));
}

TEST_F(MemoryTransportTest, BoundsTheBytesOnTheirWay) {
  Peer a(bus, "a", {});
  run();
  const std::string half(499, 'h');
  EXPECT_TRUE(a.say("t", half).ok());
  EXPECT_TRUE(a.say("t", half).ok());
  EXPECT_EQ(a.say("t", "x").error().code, Errc::backpressure);
  EXPECT_EQ(a.say("t", std::string(1000, 'x')).error().code, Errc::too_large);
  EXPECT_EQ(a.say("t/#", "x").error().code, Errc::invalid_argument);
  run();
  EXPECT_TRUE(a.say("t", half).ok());
}

TEST_F(MemoryTransportTest, ForgetsExpiredMessages) {
  bus->set_faults(Faults{.delay_min = seconds(2), .delay_max = seconds(2)});
  Peer a(bus, "a", {});
  Peer b(bus, "b", {{"#", 0}});
  run(seconds(2));
  ASSERT_TRUE(a.say("short", "1", {.expiry = seconds(3)}).ok());
  ASSERT_TRUE(a.say("long", "1", {.expiry = seconds(5)}).ok());
  run(seconds(10));
  EXPECT_EQ(b.take(), (Log{"connected", "long=1"}));
}

TEST_F(MemoryTransportTest, NewcomerWithTheSameIdTakesOver) {
  Peer first(bus, "same", {});
  run();
  Peer second(bus, "same", {});
  run();
  EXPECT_EQ(first.take(), (Log{"connected", "disconnected"}));
  EXPECT_EQ(first.say("x", "1").error().code, Errc::not_connected);
  EXPECT_TRUE(second.say("x", "1").ok());
  first.transport.stop(false);
  EXPECT_TRUE(second.say("x", "1").ok());
}

// A run with every fault; what arrived, in order.
Log faulty_run(std::uint64_t seed) {
  auto bus = std::make_shared<MemoryBus>(
      seed, Faults{.loss = 0.2, .duplicate = 0.2, .delay_max = milliseconds(50)});
  Peer a(bus, "a", {});
  Peer b(bus, "b", {{"#", 0}});
  bus->run_until(Instant(seconds(1)));
  for (int i = 0; i < 200; ++i) {
    EXPECT_TRUE(a.say("n", std::to_string(i)).ok());
    bus->run_until(bus->now() + milliseconds(5));
  }
  bus->run_until(bus->now() + seconds(1));
  EXPECT_EQ(bus->pending(), 0u);
  const MemoryBus::Counters counters = bus->counters();
  EXPECT_EQ(counters.published, 200u);
  EXPECT_EQ(counters.delivered, counters.published + counters.duplicated - counters.lost);
  return b.take();
}

TEST(MemoryBus, SameSeedSameDeliveries) {
  const Log log = faulty_run(42);
  EXPECT_EQ(log, faulty_run(42));
  EXPECT_NE(log, faulty_run(43));
}

TEST(MemoryBus, LosesRepeatsAndReorders) {
  Log log = faulty_run(42);
  EXPECT_FALSE(std::ranges::is_sorted(log, {}, [](const std::string& line) {
    return line.starts_with("n=") ? std::stoi(line.substr(2)) : -1;
  }));
  std::ranges::sort(log);
  EXPECT_NE(std::ranges::adjacent_find(log), log.end());
  EXPECT_FALSE(std::ranges::all_of(
      std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13},
      [&](int i) { return std::ranges::binary_search(log, "n=" + std::to_string(i)); }));
}

TEST(MemoryBus, NamedBusesAreShared) {
  const auto bus = MemoryBus::named("shared");
  EXPECT_EQ(bus, MemoryBus::named("shared"));
  EXPECT_NE(bus, MemoryBus::named("other"));
}

}  // namespace
}  // namespace dunlin
