#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "dunlin/transport.h"
#include "tests/support/certificates.h"
#include "tests/support/eventually.h"
#include "tests/support/mosquitto.h"
#include "tests/support/temp_dir.h"

namespace dunlin {
namespace {

using test::Authority;
using test::eventually;
using test::Mosquitto;

// Collects what a transport reports, on whichever thread it does.
class Peer final : public TransportEvents {
 public:
  ~Peer() override {
    if (transport_) transport_->stop(true);
  }

  void start(TransportOptions options, std::vector<Transport::Subscription> subscriptions,
             Will will = {}) {
    auto transport = make_transport(std::move(options));
    ASSERT_TRUE(transport.ok()) << transport.error().message();
    transport_ = std::move(transport).value();
    const Result<void> started =
        transport_->start(*this, std::move(subscriptions), std::move(will));
    ASSERT_TRUE(started.ok()) << started.error().message();
  }

  Transport& transport() { return *transport_; }
  Result<void> say(const std::string& topic, std::string_view text, PublishOptions options = {}) {
    return transport_->publish(topic, as_bytes(text), options);
  }

  void on_connected() override { ++connected_; }
  void on_disconnected(const Error& reason) override {
    const std::lock_guard lock(mutex_);
    reasons_.push_back(reason.message());
  }
  void on_message(std::string_view topic, ByteView payload, bool retained) override {
    const std::lock_guard lock(mutex_);
    messages_.push_back(std::string(topic) + "=" + std::string(as_text(payload)) +
                        (retained ? " retained" : ""));
  }

  bool connects(int times = 1) {
    return eventually([&] { return connected_ >= times; });
  }
  bool hears(const std::string& message) {
    return eventually([&] { return std::ranges::count(messages(), message) > 0; });
  }
  // The reason of the first failed or ended connection; empty when there comes none.
  std::string disconnects() {
    eventually([&] { return !reasons().empty(); });
    return reasons().empty() ? "" : reasons().front();
  }
  std::vector<std::string> messages() {
    const std::lock_guard lock(mutex_);
    return messages_;
  }
  std::vector<std::string> reasons() {
    const std::lock_guard lock(mutex_);
    return reasons_;
  }
  int connected() const { return connected_; }

 private:
  std::atomic<int> connected_{0};
  std::mutex mutex_;
  std::vector<std::string> messages_;
  std::vector<std::string> reasons_;
  std::unique_ptr<Transport> transport_;
};

TransportOptions options_for(const Mosquitto& broker, const std::string& id, int protocol = 5) {
  TransportOptions options;
  options.url = broker.url();
  options.client_id = id;
  options.protocol = protocol;
  return options;
}

const PublishOptions kRetained{.qos = 1, .retain = true};

class MqttTransport : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Protocols, MqttTransport, testing::Values(5, 4), [](const auto& protocol) {
  return protocol.param == 5 ? "Mqtt5" : "Mqtt311";
});

TEST_P(MqttTransport, DeliversInOrderAndKeepsRetainedMessages) {
  DUNLIN_START_MOSQUITTO(broker);
  Peer a;
  a.start(options_for(*broker, "a", GetParam()), {{"n/+", 1}});
  ASSERT_TRUE(a.connects());
  std::vector<std::string> expected;
  for (int i = 0; i < 200; ++i) {
    expected.push_back("n/x=" + std::to_string(i));
    ASSERT_TRUE(eventually([&] { return a.say("n/x", std::to_string(i), {.qos = 1}).ok(); }));
  }
  EXPECT_TRUE(eventually([&] { return a.messages().size() == expected.size(); }));
  EXPECT_EQ(a.messages(), expected);

  ASSERT_TRUE(a.say("state", "kept", kRetained).ok());
  ASSERT_TRUE(a.say("empty", "").ok());
  Peer b;
  b.start(options_for(*broker, "b", GetParam()), {{"state", 1}, {"unused/#", 0}});
  EXPECT_TRUE(b.hears("state=kept retained"));
  EXPECT_EQ(a.reasons(), std::vector<std::string>{});
}

// More topics than the broker takes aliases for, each again and again, also after a new connection.
TEST_P(MqttTransport, TellsManyTopicsApart) {
  DUNLIN_START_MOSQUITTO(broker);
  Peer a;
  a.start(options_for(*broker, "a", GetParam()), {{"#", 1}});
  std::vector<std::string> expected;
  for (int connection = 0; connection < 2; ++connection) {
    ASSERT_TRUE(a.connects(connection + 1));
    for (int i = 0; i < 75; ++i) {
      const std::string topic = "n/" + std::to_string(i % 25);
      expected.push_back(topic + "=" + std::to_string(i));
      ASSERT_TRUE(eventually([&] { return a.say(topic, std::to_string(i), {.qos = 1}).ok(); }));
    }
    EXPECT_TRUE(eventually([&] { return a.messages().size() == expected.size(); }));
    EXPECT_EQ(a.messages(), expected);
    if (connection > 0) continue;
    broker->stop();
    ASSERT_TRUE(eventually([&] { return !a.reasons().empty(); }));
    ASSERT_TRUE(broker->restart().ok());
  }
}

TEST_P(MqttTransport, OnlyAnUngracefulStopSendsTheWill) {
  DUNLIN_START_MOSQUITTO(broker);
  const Will will{"will", Bytes{'w'}, kRetained};
  Peer watcher;
  watcher.start(options_for(*broker, "watcher", GetParam()), {{"#", 1}});
  ASSERT_TRUE(watcher.connects());
  {
    Peer graceful;
    graceful.start(options_for(*broker, "graceful", GetParam()), {}, will);
    ASSERT_TRUE(graceful.connects());
    ASSERT_TRUE(graceful.say("farewell", "1").ok());
    graceful.transport().stop(true);
    EXPECT_EQ(graceful.say("farewell", "2").error().code, Errc::not_connected);
  }
  EXPECT_TRUE(watcher.hears("farewell=1"));
  Peer rude;
  rude.start(options_for(*broker, "rude", GetParam()), {}, will);
  ASSERT_TRUE(rude.connects());
  ASSERT_TRUE(rude.say("marker", "1").ok());
  EXPECT_TRUE(watcher.hears("marker=1"));
  EXPECT_EQ(watcher.messages(), (std::vector<std::string>{"farewell=1", "marker=1"}));
  rude.transport().stop(false);
  rude.transport().stop(true);
  EXPECT_TRUE(watcher.hears("will=w"));
  EXPECT_EQ(rude.reasons(), std::vector<std::string>{});
}

TEST_P(MqttTransport, ReconnectsAfterTheBrokerCrashed) {
  DUNLIN_START_MOSQUITTO(broker);
  Peer a;
  a.start(options_for(*broker, "a", GetParam()), {{"x", 0}});
  ASSERT_TRUE(a.connects());
  broker->kill();
  EXPECT_NE(a.disconnects(), "");
  EXPECT_EQ(a.say("x", "1").error().code, Errc::not_connected);
  ASSERT_TRUE(broker->restart().ok());
  ASSERT_TRUE(a.connects(2));
  ASSERT_TRUE(a.say("x", "2").ok());
  EXPECT_TRUE(a.hears("x=2"));
}

// Many filters, more than fit into one packet; none of what both cover is missed.
TEST_P(MqttTransport, ListensToOtherTopicsFromNowOn) {
  DUNLIN_START_MOSQUITTO(broker);
  Peer a;
  a.start(options_for(*broker, "a", GetParam()), {{"x/+", 1}, {"end", 1}});
  ASSERT_TRUE(a.connects());
  ASSERT_TRUE(a.say("x/7", "kept", kRetained).ok());
  ASSERT_TRUE(a.say("x/none", "1").ok());
  ASSERT_TRUE(a.hears("x/none=1"));
  std::vector<Transport::Subscription> named{{"end", 1}};
  for (int i = 0; i < 1000; ++i) named.push_back({"x/" + std::to_string(i), 1});
  a.transport().listen(named);
  EXPECT_TRUE(a.hears("x/7=kept retained"));
  const auto says = [&](const std::string& topic) {  // once there is room
    return eventually([&] { return a.say(topic, "2", {.qos = 1}).ok(); });
  };
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(says("x/" + std::to_string(i)));
  ASSERT_TRUE(says("x/none"));
  ASSERT_TRUE(says("end"));
  ASSERT_TRUE(a.hears("end=2"));
  const std::vector<std::string> heard = a.messages();
  for (int i = 0; i < 1000; ++i)
    EXPECT_GT(std::ranges::count(heard, "x/" + std::to_string(i) + "=2"), 0) << i;
  EXPECT_EQ(std::ranges::count(heard, "x/none=2"), 0);
  // A later connection does the same.
  broker->stop();
  ASSERT_TRUE(eventually([&] { return !a.reasons().empty(); }));
  ASSERT_TRUE(broker->restart().ok());
  ASSERT_TRUE(a.connects(2));
  ASSERT_TRUE(a.say("x/none", "3").ok());
  ASSERT_TRUE(a.say("x/999", "3").ok());
  ASSERT_TRUE(a.hears("x/999=3"));
  EXPECT_EQ(std::ranges::count(a.messages(), "x/none=3"), 0);
  a.transport().listen({{"x/+", 1}});
  ASSERT_TRUE(eventually([&] {
    return a.say("x/none", "4").ok() && std::ranges::count(a.messages(), "x/none=4") > 0;
  }));
}

TEST_P(MqttTransport, TriesTheNextBrokerWhenOneIsLost) {
  DUNLIN_START_MOSQUITTO(first);
  DUNLIN_START_MOSQUITTO(second);
  TransportOptions options = options_for(*first, "a", GetParam());
  // One that is not there is passed by.
  options.more_urls = {"mqtt://127.0.0.1:" + std::to_string(test::free_port()), second->url()};
  Peer a;
  a.start(options, {{"x", 0}});
  ASSERT_TRUE(a.connects());
  Peer elsewhere;
  elsewhere.start(options_for(*second, "b", GetParam()), {});
  ASSERT_TRUE(elsewhere.connects());
  first->kill();
  ASSERT_TRUE(a.connects(2));
  ASSERT_TRUE(elsewhere.say("x", "1").ok());
  EXPECT_TRUE(a.hears("x=1"));
  // And from the last the first again.
  ASSERT_TRUE(first->restart().ok());
  second->kill();
  EXPECT_TRUE(a.connects(3));
}

TEST_P(MqttTransport, AsksForNoMoreThanItMay) {
  DUNLIN_START_MOSQUITTO(broker);
  TransportOptions options = options_for(*broker, "a", GetParam());
  options.qos_max = 0;
  Peer a;
  a.start(options, {{"x", 1}}, {.topic = "gone", .payload = {}});
  ASSERT_TRUE(a.connects());
  ASSERT_TRUE(a.say("x", "1", {.qos = 1}).ok());
  EXPECT_TRUE(a.hears("x=1"));
  const std::string log = broker->log();
  EXPECT_NE(log.find("Received PUBLISH from a (d0, q0"), std::string::npos) << log;
  EXPECT_NE(log.find("x (QoS 0)"), std::string::npos) << log;
  EXPECT_NE(log.find("Will message specified (0 bytes) (r1, q0)"), std::string::npos) << log;
}

TEST_P(MqttTransport, LogsInWithThePasswordOnly) {
  DUNLIN_START_MOSQUITTO(broker, Mosquitto::Options{.username = "user", .password = "right"});
  TransportOptions options = options_for(*broker, "a", GetParam());
  options.username = "user";
  options.password = "wrong";
  Peer wrong;
  wrong.start(options, {});
  const std::string reason = wrong.disconnects();
  EXPECT_TRUE(reason.find("uthori") != std::string::npos ||
              reason.find("password") != std::string::npos)
      << reason;
  EXPECT_EQ(wrong.connected(), 0);
  options.password = "right";
  Peer right;
  right.start(options, {});
  EXPECT_TRUE(right.connects());
}

// With MQTT 5 the broker is told a topic once a connection.
TEST(MqttTransportLimits, NamesATopicOnceAConnection) {
  constexpr int kMessages = 200;
  const std::string topic(200, 'x');
  DUNLIN_START_MOSQUITTO(broker, {.more_configuration = "sys_interval 1\n"});
  Peer a;
  a.start(options_for(*broker, "a", 5), {{"$SYS/broker/+/received", 0}});
  ASSERT_TRUE(a.connects());
  for (int i = 0; i < kMessages; ++i)
    ASSERT_TRUE(eventually([&] { return a.say(topic, "", {.qos = 1}).ok(); }));
  const auto received = [&](const std::string& what) {
    std::int64_t last = 0;
    const std::string prefix = "$SYS/broker/" + what + "/received=";
    for (const std::string& message : a.messages())
      if (message.starts_with(prefix)) last = std::atoll(message.c_str() + prefix.size());
    return last;
  };
  ASSERT_TRUE(eventually([&] { return received("messages") > kMessages; }));
  // Of each message its head, its number and the alias; the topic stands in the first.
  const auto bytes = [&] { return received("bytes"); };
  ASSERT_TRUE(eventually([&] { return bytes() > kMessages * 5; }));
  EXPECT_LT(bytes(), kMessages * 40);
}

// A topic that the broker knows by number needs the right of its name, with each message.
TEST_P(MqttTransport, EveryMessageNeedsTheRightToItsTopic) {
  const test::TempDir folder;
  const auto permit = [&](const std::string& topic) {
    return folder.write("acl", "topic read #\ntopic write end\ntopic write " + topic + "\n");
  };
  DUNLIN_START_MOSQUITTO(broker, {.more_configuration = "acl_file " + permit("first") + "\n"});
  Peer watcher, a;
  watcher.start(options_for(*broker, "watcher", GetParam()), {{"#", 1}});
  a.start(options_for(*broker, "a", GetParam()), {});
  ASSERT_TRUE(watcher.connects() && a.connects());
  // What the watcher hears of three messages on each topic, from here on.
  const auto heard = [&](const std::string& end) {
    const std::size_t before = watcher.messages().size();
    for (const char* text : {"1", "2", "3"}) {
      for (const char* topic : {"first", "second"}) EXPECT_TRUE(a.say(topic, text).ok());
    }
    EXPECT_TRUE(a.say("end", end).ok() && watcher.hears("end=" + end));
    std::string all;
    const std::vector<std::string> messages = watcher.messages();
    for (std::size_t i = before; i < messages.size(); ++i) all += messages[i] + " ";
    return all;
  };
  EXPECT_EQ(heard("1"), "first=1 first=2 first=3 end=1 ");
  permit("second");
  broker->reload();
  ASSERT_TRUE(
      eventually([&] { return a.say("second", "now").ok() && watcher.messages().size() > 4; }));
  ASSERT_TRUE(a.say("end", "of now").ok() && watcher.hears("end=of now"));
  EXPECT_EQ(heard("2"), "second=1 second=2 second=3 end=2 ");
}

TEST(MqttTransportLimits, RefusesAboveTheBytesInFlightAndNeverWaits) {
  DUNLIN_START_MOSQUITTO(broker);
  TransportOptions options = options_for(*broker, "a");
  options.in_flight_bytes_max = 50'000;
  Peer a;
  a.start(options, {});
  ASSERT_TRUE(a.connects());
  const std::string text(20'000, 'x');
  EXPECT_EQ(a.say("x", std::string(50'000, 'x')).error().code, Errc::too_large);
  EXPECT_EQ(a.say("x/#", text).error().code, Errc::invalid_argument);
  int sent = 0;
  Result<void> result;
  while (sent < 100'000 && (result = a.say("x", text, {.qos = 1})).ok()) ++sent;
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Errc::backpressure);
  EXPECT_GE(sent, 2);
  EXPECT_TRUE(eventually([&] { return a.say("x", text, {.qos = 1}).ok(); }));
}

TEST(MqttTransportLimits, BrokerForgetsExpiredMessages) {
  DUNLIN_START_MOSQUITTO(broker);
  Peer a;
  a.start(options_for(*broker, "a"), {{"late", 1}});
  ASSERT_TRUE(a.connects());
  ASSERT_TRUE(
      a.say("short", "1", {.qos = 1, .retain = true, .expiry = std::chrono::seconds(1)}).ok());
  ASSERT_TRUE(a.say("long", "1", {.qos = 1, .retain = true, .expiry = std::chrono::hours(1)}).ok());
  EXPECT_TRUE(eventually([&] {
    Peer b;
    b.start(options_for(*broker, "b"), {{"short", 1}, {"long", 1}});
    return b.hears("long=1 retained") && b.messages().size() == 1;
  }));
}

// A broker that accepts the connection and answers each subscription with these codes.
class RefusingBroker {
 public:
  explicit RefusingBroker(int protocol = 4, std::vector<std::uint8_t> codes = {0x80})
      : protocol_(protocol),
        codes_(std::move(codes)),
        listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(listener_, 4), 0);
    EXPECT_EQ(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~RefusingBroker() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }
  RefusingBroker(const RefusingBroker&) = delete;
  RefusingBroker& operator=(const RefusingBroker&) = delete;
  std::string url() const { return "mqtt://127.0.0.1:" + std::to_string(port_); }

 private:
  void serve() {
    for (int fd; (fd = accept(listener_, nullptr, nullptr)) >= 0; close(fd)) {
      std::uint8_t packet[256];
      while (recv(fd, packet, sizeof(packet), 0) > 0) {
        const int type = packet[0] >> 4;
        std::vector<std::uint8_t> connack{0x20, 2, 0, 0}, suback{0x90, 0, packet[2], packet[3]};
        if (protocol_ == 5)
          connack.push_back(0), connack[1] = 3, suback.push_back(0);  // properties
        suback.insert(suback.end(), codes_.begin(), codes_.end());
        suback[1] = static_cast<std::uint8_t>(suback.size() - 2);
        if (type == 1) send(fd, connack.data(), connack.size(), MSG_NOSIGNAL);
        if (type == 8) send(fd, suback.data(), suback.size(), MSG_NOSIGNAL);
      }
    }
  }

  const int protocol_;
  const std::vector<std::uint8_t> codes_;
  int listener_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

TEST(MqttTransportLimits, RefusedSubscriptionIsAFailedConnection) {
  RefusingBroker broker;
  TransportOptions options;
  options.url = broker.url();
  options.client_id = "a";
  options.protocol = 4;
  Peer a;
  a.start(options, {{"forbidden/#", 1}});
  EXPECT_NE(a.disconnects().find("subscription to forbidden/# refused"), std::string::npos)
      << a.disconnects();
  EXPECT_EQ(a.connected(), 0);
  a.transport().stop(true);
}

// However many codes a broker sends, none of them stands for a filter that was not sent.
TEST(MqttTransportLimits, AnAnswerToOtherThanWasAskedIsAFailedConnection) {
  for (std::vector<std::uint8_t> codes : {std::vector<std::uint8_t>(100, 0), {0, 0}, {}}) {
    if (!codes.empty()) codes.back() = 0x80;
    RefusingBroker broker(5, codes);
    TransportOptions options;
    options.url = broker.url();
    options.client_id = "a";
    Peer a;
    a.start(options, {{"x", 1}, {"y", 1}, {"z", 1}});
    const std::string why = a.disconnects();
    EXPECT_NE(why.find(codes.empty() ? "refused" : "other than was asked"), std::string::npos)
        << why;
    EXPECT_EQ(a.connected(), 0) << codes.size();
    a.transport().stop(true);
  }
}

TEST(MqttTransportTls, TrustsItsAuthorityAndTheRightNameOnly) {
  Authority authority("ours");
  Authority stranger("another");
  const Authority::Signed server = authority.sign("server", "DNS:localhost");
  ASSERT_TRUE(authority.ok && stranger.ok);
  DUNLIN_START_MOSQUITTO(broker, Mosquitto::Options{.ca_file = authority.ca_file,
                                                    .cert_file = server.cert_file,
                                                    .key_file = server.key_file});
  TransportOptions options = options_for(*broker, "a");
  options.url = broker->url("localhost");
  options.ca_file = authority.ca_file;
  Peer right;
  right.start(options, {{"x", 0}});
  ASSERT_TRUE(right.connects());
  ASSERT_TRUE(right.say("x", "secret").ok());
  EXPECT_TRUE(right.hears("x=secret"));

  options.client_id = "b";
  options.url = broker->url("127.0.0.1");  // the certificate does not name it
  Peer wrong_name;
  wrong_name.start(options, {});
  EXPECT_NE(wrong_name.disconnects(), "");
  EXPECT_EQ(wrong_name.connected(), 0);
  wrong_name.transport().stop(true);

  options.client_id = "c";
  options.url = broker->url("localhost");
  options.ca_file = stranger.ca_file;
  Peer wrong_authority;
  wrong_authority.start(options, {});
  EXPECT_NE(wrong_authority.disconnects(), "");
  EXPECT_EQ(wrong_authority.connected(), 0);
  wrong_authority.transport().stop(true);

  options.client_id = "d";
  options.ca_file = "";  // the system's store does not know our authority
  Peer system_store;
  system_store.start(options, {});
  EXPECT_NE(system_store.disconnects(), "");
  EXPECT_EQ(system_store.connected(), 0);
}

TEST(MqttTransportTls, ShowsItsOwnCertificate) {
  Authority authority("ours");
  const Authority::Signed server = authority.sign("server", "IP:127.0.0.1,DNS:localhost");
  const Authority::Signed client = authority.sign("node", "DNS:node");
  ASSERT_TRUE(authority.ok);
  DUNLIN_START_MOSQUITTO(broker, Mosquitto::Options{.ca_file = authority.ca_file,
                                                    .cert_file = server.cert_file,
                                                    .key_file = server.key_file,
                                                    .require_client_certificate = true});
  TransportOptions options = options_for(*broker, "a");
  options.ca_file = authority.ca_file;
  Peer without;
  without.start(options, {});
  EXPECT_NE(without.disconnects(), "");
  EXPECT_EQ(without.connected(), 0);
  without.transport().stop(true);

  options.client_id = "b";
  options.cert_file = client.cert_file;
  options.key_file = client.key_file;
  Will will{"will", Bytes{'w'}, kRetained};
  Peer with;
  with.start(options, {}, will);
  ASSERT_TRUE(with.connects());
  with.transport().stop(false);
  options.client_id = "c";
  Peer watcher;
  watcher.start(options, {{"will", 1}});
  EXPECT_TRUE(watcher.hears("will=w retained") || watcher.hears("will=w"));
}

}  // namespace
}  // namespace dunlin
