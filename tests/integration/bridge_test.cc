// The same fleet on mosquittos that are bridged: what one hears all hear once, and either end of a
// bridge may crash under load.
#include <map>
#include <mutex>

#include "dunlin/transport.h"
#include "tests/integration/broken_node.h"

namespace dunlin {
namespace {

// Counts what it hears.
class Listener final : public TransportEvents {
 public:
  explicit Listener(const std::string& url) {
    transport_ = make_transport({.url = url, .client_id = "listener"}).value();
    EXPECT_TRUE(transport_->start(*this, {{"dunlin/v1/default/#", 1}}, {}).ok());
    EXPECT_TRUE(test::eventually([&] { return connected_.load(); }));
  }
  ~Listener() override { transport_->stop(true); }

  void say(const std::string& topic, PublishOptions options = {}) {
    EXPECT_TRUE(transport_->publish("dunlin/v1/default/" + topic, as_bytes("x"), options).ok());
  }
  int heard(const std::string& topic) const {
    const std::lock_guard lock(mutex_);
    const auto found = heard_.find("dunlin/v1/default/" + topic);
    return found == heard_.end() ? 0 : found->second;
  }

 private:
  void on_connected() override { connected_ = true; }
  void on_disconnected(const Error&) override {}
  void on_message(std::string_view topic, ByteView, bool) override {
    const std::lock_guard lock(mutex_);
    heard_[std::string(topic)] += 1;
  }

  mutable std::mutex mutex_;
  std::map<std::string, int> heard_;
  std::atomic<bool> connected_ = false;
  std::unique_ptr<Transport> transport_;
};

TEST(Bridge, WhatOneHearsAllHearOnce) {
  DUNLIN_START_NODES(nodes, test::bridge_mosquittos(3));
  std::vector<std::unique_ptr<Listener>> listeners;
  for (const std::string& url : nodes->urls()) listeners.push_back(std::make_unique<Listener>(url));
  listeners[1]->say("retained", {.qos = 1, .retain = true});
  listeners[2]->say("passing");
  // A message that turned in a circle would come again before what was said at its end.
  for (std::size_t node = 0; node < listeners.size(); ++node)
    listeners[node]->say("last-" + std::to_string(node));
  for (const auto& listener : listeners) {
    for (const std::string topic : {"last-0", "last-1", "last-2", "retained", "passing"}) {
      EXPECT_TRUE(test::eventually([&] { return listener->heard(topic) > 0; })) << topic;
      EXPECT_EQ(listener->heard(topic), 1) << topic;
    }
  }
  for (const std::string& url : nodes->urls()) {
    const Listener later(url);
    EXPECT_TRUE(test::eventually([&] { return later.heard("retained") == 1; }));
  }
}

TEST(Bridge, ALeafMayCrashUnderLoad) {
  DUNLIN_START_NODES(nodes, test::bridge_mosquittos(3));
  test::lose_a_node(*nodes, 2);
}

TEST(Bridge, TheHubMayCrashUnderLoad) {
  DUNLIN_START_NODES(nodes, test::bridge_mosquittos(3));
  test::lose_a_node(*nodes, 0);
}

}  // namespace
}  // namespace dunlin
