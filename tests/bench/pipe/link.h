#pragma once

#include <mqtt/async_client.h>

#include <cstdint>
#include <memory>
#include <string>

#include "dunlin/result.h"

namespace dunlin::bench {

// Called on Paho's thread: note it and return.
class LinkEvents {
 public:
  virtual ~LinkEvents() = default;
  virtual void on_message(mqtt::const_message_ptr message) = 0;
  virtual void on_published() = 0;  // the broker has acknowledged one message of QoS 1
  virtual void on_lost() = 0;
};

// One connection of the pipe to a broker on 127.0.0.1, MQTT 3.1.1 (with MQTT 5 mosquitto would
// narrow the window to 20). Made afresh after every loss, which Paho does much faster than
// connecting again. The socket gets no Nagle and a send buffer above any window, because Paho
// sleeps up to a second when the buffer is full.
class Link final : private mqtt::callback, private mqtt::iaction_listener {
 public:
  struct Options {
    std::uint16_t port = 1883;
    std::string client_id;
    std::string subscription;  // a topic, taken at QoS 1
    int window = 100;          // messages in flight
  };

  // `events` must outlive the link.
  Link(const Options& options, LinkEvents& events);
  // Sends what is pending and disconnects.
  ~Link() override;

  // Returns after CONNACK and SUBACK.
  Result<void> connect();
  // CLOCK_MONOTONIC at the CONNACK.
  std::int64_t connected_us() const { return connected_us_; }

  // Hands the message to Paho and does not wait.
  Result<void> publish(const std::string& topic, const std::string& payload, int qos);

 private:
  void message_arrived(mqtt::const_message_ptr message) override { events_.on_message(message); }
  void connection_lost(const std::string&) override { events_.on_lost(); }
  void on_success(const mqtt::token&) override { events_.on_published(); }
  void on_failure(const mqtt::token&) override { events_.on_lost(); }

  const Options options_;
  LinkEvents& events_;
  std::int64_t connected_us_ = 0;
  std::unique_ptr<mqtt::async_client> client_;  // last: its destructor still calls the listeners
};

}  // namespace dunlin::bench
