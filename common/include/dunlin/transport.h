#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dunlin/bytes.h"
#include "dunlin/result.h"

namespace dunlin {

// A lossy publish/subscribe bus: what the replica needs of MQTT, and no more. Messages may be lost,
// repeated and reordered; the log is the queue, so nothing is buffered while the link is down.

struct PublishOptions {
  int qos = 0;
  bool retain = false;
  std::chrono::seconds expiry{0};  // MQTT 5 message expiry; 0 = never; ignored where not offered
};

// Called from the transport's own thread. Implementations copy, post to a mailbox and return.
class TransportEvents {
 public:
  virtual ~TransportEvents() = default;
  // Now and then while a handshake is under way, for the first moments of it.
  virtual void on_handshake() {}
  virtual void on_connected() = 0;  // after every subscription was acknowledged
  virtual void on_disconnected(const Error& reason) = 0;
  virtual void on_message(std::string_view topic, ByteView payload, bool retained) = 0;
};

struct TransportOptions {
  std::string url{};  // scheme selects the adapter: mqtt, mqtts, memory
  // Other brokers of the same bus: when one is lost or not reached, the next one is tried, and
  // after the last `url` again.
  std::vector<std::string> more_urls{};
  std::string client_id{};
  std::string username{};  // "" = none
  std::string password{};
  std::string ca_file{};    // mqtts: PEM; "" = the system's store
  std::string cert_file{};  // mqtts: client certificate, with key_file
  std::string key_file{};
  bool plain = false;  // mqtt may leave this machine, too, though anybody can read and change it
  int protocol = 5;    // MQTT version: 5, or 4 for 3.1.1
  int qos_max = 1;     // 0 where the broker makes QoS 1 slow: what asks for more goes by this
  std::chrono::seconds keep_alive{20};
  std::size_t in_flight_bytes_max = 1 << 20;  // above it publish() says `backpressure`
  std::uint64_t seed = 0;                     // of the reconnect jitter
};

struct Will {
  std::string topic;
  Bytes payload;
  PublishOptions options{.qos = 1, .retain = true};
};

class Transport {
 public:
  virtual ~Transport() = default;

  // Connects in the background and keeps reconnecting with full jitter, 1 s doubling to 5 min,
  // until stop(). `events` must outlive the transport. Filters are subscribed (QoS 0 unless
  // retained state is asked for by the filter's qos) at every connect, before on_connected().
  struct Subscription {
    std::string filter;
    int qos = 0;
    auto operator<=>(const Subscription&) const = default;
  };
  virtual Result<void> start(TransportEvents& events, std::vector<Subscription> subscriptions,
                             Will will) = 0;

  // From now on, and at every later connect, these are subscribed instead of the former ones: first
  // what is new, whose retained messages come, then the others are given up. Meanwhile a message
  // may come twice. Never waits; a connection whose broker refuses one ends.
  virtual void listen(std::vector<Subscription> subscriptions) = 0;

  // Hands one message to the bus; never waits. `not_connected` or `backpressure`: nothing was sent.
  virtual Result<void> publish(const std::string& topic, ByteView payload,
                               PublishOptions options) = 0;

  // Bytes that were published and stand in line on this machine, about: what is published next
  // waits for them. 0 where that is not known.
  virtual std::size_t unsent_bytes() = 0;

  // Disconnects; `graceful` sends no will. Idempotent. After it returns no event is delivered.
  virtual void stop(bool graceful) = 0;
};

// The adapter registry: one factory per URL scheme.
using TransportFactory = std::function<Result<std::unique_ptr<Transport>>(TransportOptions)>;
void register_transport(std::string scheme, TransportFactory factory);
Result<std::unique_ptr<Transport>> make_transport(TransportOptions options);

}  // namespace dunlin
