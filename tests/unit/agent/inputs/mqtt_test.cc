#include "agent/inputs/mqtt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "dunlin/transport.h"
#include "tests/support/eventually.h"
#include "tests/support/fake_sink.h"
#include "tests/support/temp_dir.h"

namespace dunlin::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Remembers who subscribed, so that the test can speak as the broker.
struct Bus {
  std::atomic<TransportEvents*> events = nullptr;
  TransportOptions options;
  std::vector<std::string> filters;

  void publish(std::string_view topic, std::string_view payload, bool retained = false) {
    events.load()->on_message(topic, as_bytes(payload), retained);
  }
};

class BusTransport final : public Transport {
 public:
  explicit BusTransport(Bus& bus) : bus_(bus) {}
  Result<void> start(TransportEvents& events, std::vector<Subscription> subscriptions,
                     Will) override {
    for (const Subscription& subscription : subscriptions) {
      bus_.filters.push_back(subscription.filter);
    }
    bus_.events = &events;
    return {};
  }
  void listen(std::vector<Subscription>) override {}
  Result<void> publish(const std::string&, ByteView, PublishOptions) override { return {}; }
  std::size_t unsent_bytes() override { return 0; }
  void stop(bool) override { bus_.events = nullptr; }

 private:
  Bus& bus_;
};

class MqttInputTest : public ::testing::Test {
 protected:
  MqttInputTest() {
    register_transport("testbus",
                       [this](TransportOptions options) -> Result<std::unique_ptr<Transport>> {
                         bus_.options = std::move(options);
                         return std::unique_ptr<Transport>(std::make_unique<BusTransport>(bus_));
                       });
  }
  std::unique_ptr<Input> input(const std::string& keys) {
    auto made = test::make_input(
        "type = \"mqtt\"\nurl = \"testbus://x\"\ntopics = [\"zigbee2mqtt/+\", "
        "\"tele/+/SENSOR\"]\n" +
        keys);
    EXPECT_THAT(made.mistakes, IsEmpty());
    return std::move(made.input);
  }
  void connected() {
    ASSERT_TRUE(test::eventually([&] { return bus_.events.load() != nullptr; }));
  }
  Bus bus_;
  test::FakeSink sink_;
};

TEST_F(MqttInputTest, SensorsGiveReadingsAtOnce) {
  test::InputRun run(sink_, input(""));
  connected();
  EXPECT_THAT(bus_.filters, ElementsAre("zigbee2mqtt/+", "tele/+/SENSOR"));
  bus_.publish("zigbee2mqtt/living room", R"({"temperature":21,"contact":true})");
  bus_.publish("tele/x/SENSOR", R"({"Time":"2026-01-01T00:00:00","AM2301":{"Temperature":21.5}})");
  bus_.publish("zigbee2mqtt/living room", R"({"temperature":21.5})");
  bus_.publish("zigbee2mqtt/plain", "7.25");
  bus_.publish("zigbee2mqtt/broken", "{");
  bus_.publish("zigbee2mqtt/cleared", "");
  bus_.publish("zigbee2mqtt/kept", "1", true);
  ASSERT_TRUE(test::eventually([&] { return sink_.rows() == 4 && sink_.reports().size() == 1; }));
  EXPECT_TRUE(run.stop().ok());
  EXPECT_THAT(sink_.lines(),
              ::testing::UnorderedElementsAre(
                  "zigbee2mqtt/living_room 1700000000000000 temperature=21 contact=true",
                  "zigbee2mqtt/living_room 1700000000000000 temperature=21.5",
                  "tele/x/SENSOR 1700000000000000 AM2301.Temperature=21.5",
                  "zigbee2mqtt/plain 1700000000000000 value=7.25"));
}

TEST_F(MqttInputTest, StreamsAndFieldsByTheConfiguration) {
  const test::TempDir dir;
  const std::string secret = dir.write("secret", "hunter2\n");
  test::InputRun run(sink_, input("stream = \"room/{1}\"\nretained = true\nusername = \"me\"\n"
                                  "password_file = \"" +
                                  secret +
                                  "\"\n[input.fields]\n"
                                  "temperature = \"t:decimal(1):Cel\"\n"));
  connected();
  EXPECT_EQ(bus_.options.password, "hunter2");
  EXPECT_EQ(bus_.options.username, "me");
  EXPECT_FALSE(bus_.options.client_id.empty());
  bus_.publish("zigbee2mqtt/a", R"({"temperature":21.5,"other":1})", true);
  ASSERT_TRUE(test::eventually([&] { return sink_.rows() == 1; }));
  EXPECT_TRUE(run.stop().ok());
  EXPECT_THAT(sink_.lines(), ElementsAre("room/a 1700000000000000 t=215"));
}

TEST_F(MqttInputTest, TheQueueIsBoundedAndLossIsReported) {
  test::InputRun run(sink_, input(""));
  connected();
  // The driver hangs in the log while messages come.
  std::mutex hold;
  std::unique_lock lock(hold);
  std::atomic<bool> hangs = false;
  sink_.set_refuse([&](const StreamSchema&) -> Result<void> {
    hangs = true;
    const std::lock_guard wait(hold);
    return {};
  });
  bus_.publish("zigbee2mqtt/a", "1");
  ASSERT_TRUE(test::eventually([&] { return hangs.load(); }));
  const std::string ten_kilobytes = "\"" + std::string(9'998, 'x') + "\"";
  for (int i = 0; i < 500; ++i) bus_.publish("zigbee2mqtt/big", ten_kilobytes);
  lock.unlock();
  ASSERT_TRUE(test::eventually([&] { return sink_.rows() == 420; }));  // 4 MiB, and the first
  EXPECT_TRUE(run.stop().ok());
  ASSERT_EQ(sink_.reports().size(), 1u);
  EXPECT_EQ(sink_.reports()[0].error.code, Errc::backpressure);
  EXPECT_EQ(sink_.reports()[0].error.context.substr(0, 3), "81 ");
}

TEST_F(MqttInputTest, AMissingPasswordFileIsAnErrorOfTheRun) {
  const auto result = test::InputRun(sink_, input("password_file = \"/no/such/file\"\n")).wait();
  EXPECT_EQ(result.error().code, Errc::not_found);
}

TEST(MqttInput, KeysAreChecked) {
  EXPECT_EQ(test::make_input("type = \"mqtt\"\nstream = \"{x}\"\n").mistakes.size(), 3u);
}

TEST(StreamTemplate, Names) {
  const auto name = [](std::string_view text, std::string_view topic) {
    const auto result = StreamTemplate::from(text).value().name(topic);
    return result.ok() ? result.value() : "!" + result.error().context;
  };
  EXPECT_EQ(name("{topic}", "a/b c/d"), "a/b_c/d");
  EXPECT_EQ(name("zigbee/{1}", "a/b/c"), "zigbee/b");
  EXPECT_EQ(name("{0}-{2}", "a/b/c"), "a-c");
  EXPECT_EQ(name("fixed", "a"), "fixed");
  EXPECT_EQ(name("{1}", "a")[0], '!');
  EXPECT_EQ(name("{1}", "a/")[0], '!');
  for (const char* text : {"{", "{x}", "{-1}", "a{1"}) {
    EXPECT_FALSE(StreamTemplate::from(text).ok()) << text;
  }
}

}  // namespace
}  // namespace dunlin::agent
