#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/base/time.h"
#include "common/transport/mqtt/broker_url.h"
#include "dunlin/transport.h"

namespace dunlin {

class MqttSession;

// MQTT 5 or 3.1.1 over Eclipse Paho, plain or TLS. Every connection starts a clean session.
//
// Threads: one of our own connects, waits and reconnects; on_connected and on_disconnected come
// from it. on_message comes from Paho's receive thread, which serves every client of the process,
// in the order of arrival; retained messages may come before on_connected. Handlers post and
// return; they must not call publish() or stop() from on_message, nor stop() from any.
//
// on_disconnected is called after every connection that ended and every attempt that failed (wrong
// password, refused subscription, certificate that does not fit), except those that stop() ended.
//
// One client per process is what Paho does well: further ones wait about 2 s for their connection.
class MqttTransport final : public Transport {
 public:
  static Result<std::unique_ptr<Transport>> make(TransportOptions options);

  ~MqttTransport() override;  // stops gracefully
  MqttTransport(const MqttTransport&) = delete;
  MqttTransport& operator=(const MqttTransport&) = delete;

  Result<void> start(TransportEvents& events, std::vector<Subscription> subscriptions,
                     Will will) override;
  void listen(std::vector<Subscription> subscriptions) override;
  // Bytes count as in flight until they were written to the socket (QoS 0) or acknowledged (QoS 1).
  // `backpressure` comes earlier than in_flight_bytes_max when the socket's buffer is nearly full.
  // A message that could never fit into in_flight_bytes_max is `too_large`.
  Result<void> publish(const std::string& topic, ByteView payload, PublishOptions options) override;
  std::size_t unsent_bytes() override;
  // Takes 0.1 to 0.2 s, the time Paho's threads need to end; up to 3 s when the broker is silent.
  void stop(bool graceful) override;

 private:
  MqttTransport(TransportOptions options, std::vector<BrokerUrl> urls);

  void bound(std::vector<Subscription>& subscriptions) const;
  void run();
  Error hold_one_connection(const BrokerUrl& url, Duration& held);
  bool stopping();

  const TransportOptions options_;
  const std::vector<BrokerUrl> urls_;
  TransportEvents* events_ = nullptr;
  Will will_;

  std::mutex mutex_;  // of the two below
  std::condition_variable wake_;
  bool stopping_ = false;
  bool graceful_ = true;

  // Held shared around a use of session_ from outside, exclusively to exchange what follows.
  std::shared_mutex session_mutex_;
  std::vector<Subscription> subscriptions_;
  MqttSession* session_ = nullptr;    // connecting or connected; owned by run()
  MqttSession* connected_ = nullptr;  // the same, once publish() may use it
  std::thread thread_;
};

}  // namespace dunlin
