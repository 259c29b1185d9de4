#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/random.h"
#include "common/base/time.h"
#include "common/transport/memory/filter_trie.h"
#include "dunlin/transport.h"

namespace dunlin {

// What a link does to each message that crosses it. A message crosses two: up from the publisher to
// the broker, down from the broker to each receiver. `delay_max` above `delay_min` also reorders.
struct Faults {
  double loss = 0;          // probability in [0, 1]
  bool keeps_qos1 = false;  // messages with QoS 1 are not lost, as if they were repeated
  double duplicate = 0;     // probability in [0, 1]; the copy draws its own delay
  Duration delay_min{0};
  Duration delay_max{0};
};

// A broker in memory, for tests and simulations: filters, retained messages, wills, broken links.
//
// Nothing is delivered inside publish(). Everything that happens (a client connects, a message
// reaches the broker, a message reaches a client) is queued with a due time, and run_one() lets the
// earliest one happen; ties happen in the order of their making. Time is virtual and moves only by
// advance_to(). One seeded generator decides every fault, so the same seed and calls give the same
// deliveries. Events are called from inside run_one() and may call publish() and stop().
//
// All members may be called from several threads; only single-threaded use is reproducible.
class MemoryBus {
 public:
  explicit MemoryBus(std::uint64_t seed, Faults faults = {});

  // The bus of `memory://name`, made at first use and living as long as somebody holds it.
  static std::shared_ptr<MemoryBus> named(const std::string& name);

  Instant now() const;
  void advance_to(Instant now);  // never moves back
  std::size_t pending() const;   // events that have not happened yet
  std::optional<Instant> next_deadline() const;
  bool run_one();  // false: nothing is due
  // Moves time from event to event until nothing is due at or before `end`, then to `end`.
  void run_until(Instant end);

  // Faults for every link, or for the link of one client instead.
  void set_faults(Faults faults);
  void set_faults(const std::string& client_id, Faults faults);

  // A partitioned link loses everything silently, both ways, and connects nobody; the connection
  // itself stays until break_link(). heal() lets a waiting client connect again.
  void partition(const std::string& client_id);
  void heal(const std::string& client_id);
  // The connection breaks: what is under way is lost, the broker publishes the will, the client is
  // told and connects again within a second.
  void break_link(const std::string& client_id);
  // The client's process dies: as break_link(), but nobody is told and nobody comes back.
  void kill(const std::string& client_id);
  // The broker dies without publishing wills; the clients come back after start_broker().
  void stop_broker();
  void start_broker();
  void forget_retained();

  struct Counters {
    std::uint64_t published = 0;  // accepted by publish()
    std::uint64_t delivered = 0;  // on_message calls
    std::uint64_t lost = 0;       // by faults, partitions, broken links and expiry
    std::uint64_t duplicated = 0;
  };
  Counters counters() const;

 private:
  friend class MemoryTransport;

  struct Message {
    std::string topic;
    Bytes payload;
    PublishOptions options;
    std::optional<Instant> expires;
  };
  struct Client {
    std::string id;
    TransportEvents* events = nullptr;  // null: stopped or killed
    std::vector<Transport::Subscription> subscriptions;
    Will will;
    std::optional<Faults> faults;
    std::size_t in_flight_bytes = 0;  // on the way up
    std::uint64_t session = 0;        // counts starts and breaks; events of older ones are void
    bool connected = false;
    bool partitioned = false;
  };
  enum class Kind { connect, up, down };
  struct Event {
    Instant due;
    std::uint64_t order;
    Kind kind;
    Client* client;  // whose link it crosses; clients stay
    std::uint64_t session;
    std::shared_ptr<const Message> message;
    bool retained;
    std::size_t counted_bytes;  // up: what to take off the sender's in_flight_bytes
  };
  struct Later {
    bool operator()(const Event& a, const Event& b) const {
      return a.due != b.due ? a.due > b.due : a.order > b.order;
    }
  };

  Result<void> attach(const std::string& client_id, TransportEvents& events,
                      std::vector<Transport::Subscription> subscriptions, Will will);
  void listen(const std::string& client_id, TransportEvents& events,
              std::vector<Transport::Subscription> subscriptions);
  void detach(const std::string& client_id, TransportEvents& events, bool graceful);
  Result<void> publish(const TransportOptions& sender, const TransportEvents* events,
                       const std::string& topic, ByteView payload, PublishOptions options);

  Client& client(const std::string& client_id);  // made when unknown
  void subscribe(Client& client, std::vector<Transport::Subscription> subscriptions);
  void push(Event event);
  void push_connect(Client& client);
  void send(Event event);
  Duration draw_delay(const Faults& faults);
  void happen(const Event& event);
  void connect(Client& client);
  void route(const std::shared_ptr<const Message>& message);
  void send_retained(Client& client, const std::vector<Transport::Subscription>& subscriptions);
  void end_session(Client& client, bool send_will);
  void tell_disconnected(Client& client, const char* why);

  // Recursive: an event runs under it and may publish. stop() therefore waits for a delivery.
  mutable std::recursive_mutex mutex_;
  Random random_;
  Faults faults_;
  Instant now_{};
  std::uint64_t next_order_ = 0;
  bool broker_up_ = true;
  std::map<std::string, Client, std::less<>> clients_;
  FilterTrie<Client> readers_;
  std::map<std::string, std::shared_ptr<const Message>, std::less<>> retained_;
  std::vector<Event> events_;  // a heap, what is next first
  Counters counters_;
};

}  // namespace dunlin
