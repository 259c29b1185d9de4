#pragma once

#include <mqtt/async_client.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "common/transport/mqtt/broker_url.h"
#include "common/transport/mqtt/tcp_sockets.h"
#include "dunlin/transport.h"

namespace dunlin {

// One connection to a broker, from CONNECT to its end, never used twice: a fresh Paho client
// connects in 11 ms where one that connects again takes 1.1 s, and nothing of a lost connection
// survives.
//
// connect(), wait_until_lost() and the destructor belong to one thread; publish(), unsent_bytes()
// and cancel() may be called from any, as long as the object lives, listen() by one at a time.
// Paho's callbacks run under Paho's own lock, so no lock that they take is held around a call to
// Paho.
class MqttSession final : private mqtt::callback {
 public:
  // `options` and `events` must outlive the session. on_message() is called on Paho's
  // thread, on_handshake() by connect(), nothing else.
  MqttSession(const TransportOptions& options, const BrokerUrl& url, TransportEvents& events);
  // Ends the connection: with a DISCONNECT, unless abandon() was called.
  ~MqttSession() override;
  MqttSession(const MqttSession&) = delete;
  MqttSession& operator=(const MqttSession&) = delete;

  // Returns after every subscription was acknowledged, at most 30 s later.
  Result<void> connect(const std::vector<Transport::Subscription>& subscriptions, const Will& will);
  // After connect(): subscribes these instead, what is new first. Waits for no answer.
  void listen(const std::vector<Transport::Subscription>& subscriptions);
  // Returns the reason once the connection is gone or does not do, or `closed` after cancel().
  Error wait_until_lost();
  // Makes both return soon.
  void cancel();
  // Breaks the TCP connection, so that the broker publishes the will. A DISCONNECT with reason 0x04
  // would ask for it too, but Paho C++ 1.2.0 does not get it sent. Without /proc this does nothing.
  void abandon();

  Result<void> publish(const std::string& topic, ByteView payload, PublishOptions options);
  // What Paho has not written to the socket, and the kernel not to the network.
  std::size_t unsent_bytes() const;

 private:
  // Counts the answers to CONNECT or to SUBSCRIBEs and keeps the first refusal.
  class Answers final : public mqtt::iaction_listener {
   public:
    explicit Answers(MqttSession& session) : session_(session) {}
    void on_success(const mqtt::token& token) override;
    void on_failure(const mqtt::token& token) override;

   private:
    MqttSession& session_;
  };
  // What was handed to Paho and is not completed. A token's context carries what it takes off:
  // twice the bytes, plus one for a message that waits for an acknowledgement.
  class InFlight final : public mqtt::iaction_listener {
   public:
    void on_success(const mqtt::token& token) override;
    void on_failure(const mqtt::token& token) override;
    void take_off(std::size_t weight);

    std::atomic<std::size_t> bytes{0};
    std::atomic<std::size_t> unacknowledged{0};
  };

  void connection_lost(const std::string& cause) override;
  void message_arrived(mqtt::const_message_ptr message) override;

  Result<void> open(const Will& will);
  Result<void> subscribe(const std::vector<Transport::Subscription>& subscriptions);
  std::size_t filters_max() const;  // of one SUBSCRIBE
  void send_subscribes(const std::vector<Transport::Subscription>& subscriptions);
  mqtt::connect_options connect_options(const Will& will) const;
  bool fits_socket(std::size_t in_flight, std::size_t size) const;
  void expect(mqtt::token::Type request, std::size_t answers);
  bool settles_within(std::chrono::milliseconds time);
  Result<void> wait_for_answers(const char* what);
  Error refused(const mqtt::token& token, const std::string& filter) const;
  void answered(const mqtt::token& token, std::optional<Error> refusal);

  const TransportOptions& options_;
  const BrokerUrl url_;
  TransportEvents& events_;
  std::optional<TcpSocket> socket_;

  std::mutex mutex_;  // of the six below
  std::condition_variable changed_;
  mqtt::token::Type awaited_ = mqtt::token::CONNECT;
  std::size_t answers_missing_ = 0;
  std::optional<Error> refusal_;
  std::optional<Error> lost_;
  std::string farewell_;  // what the broker's DISCONNECT said
  bool cancelled_ = false;

  Answers answers_{*this};
  InFlight in_flight_;
  std::size_t receive_maximum_ = 65'535;  // unacknowledged messages that the broker takes
  bool connected_ = false;
  std::vector<Transport::Subscription> subscribed_;  // in order
  // With MQTT 5 the broker knows the first topics of a connection by number, once they were named.
  std::mutex publishing_;  // of the aliases, and so that no number overtakes its topic
  std::map<std::string, std::uint16_t> aliases_;
  std::size_t aliases_max_ = 0;
  std::unique_ptr<mqtt::async_client> client_;  // last: its destructor still calls the listeners
};

}  // namespace dunlin
