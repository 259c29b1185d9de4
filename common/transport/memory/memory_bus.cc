#include "common/transport/memory/memory_bus.h"

#include <algorithm>
#include <utility>

#include "common/transport/topic_filter.h"

namespace dunlin {
namespace {

constexpr Duration kReconnectDelayMax = std::chrono::seconds(1);

// What all topics begin with that a filter matches.
std::string_view beginning(std::string_view filter) {
  const std::size_t wild = filter.find_first_of("+#");
  if (wild == std::string_view::npos) return filter;
  return filter.substr(0, wild == 0 ? 0 : wild - 1);  // "a/#" matches "a"
}

}  // namespace

MemoryBus::MemoryBus(std::uint64_t seed, Faults faults) : random_(seed), faults_(faults) {}

std::shared_ptr<MemoryBus> MemoryBus::named(const std::string& name) {
  static std::mutex mutex;
  static std::map<std::string, std::weak_ptr<MemoryBus>> buses;
  const std::lock_guard lock(mutex);
  std::shared_ptr<MemoryBus> bus = buses[name].lock();
  if (!bus) {
    bus = std::make_shared<MemoryBus>(0);
    buses[name] = bus;
  }
  return bus;
}

Instant MemoryBus::now() const {
  const std::lock_guard lock(mutex_);
  return now_;
}

void MemoryBus::advance_to(Instant now) {
  const std::lock_guard lock(mutex_);
  now_ = std::max(now_, now);
}

std::size_t MemoryBus::pending() const {
  const std::lock_guard lock(mutex_);
  return events_.size();
}

std::optional<Instant> MemoryBus::next_deadline() const {
  const std::lock_guard lock(mutex_);
  if (events_.empty()) return std::nullopt;
  return events_.front().due;
}

bool MemoryBus::run_one() {
  const std::lock_guard lock(mutex_);
  if (events_.empty() || events_.front().due > now_) return false;
  std::pop_heap(events_.begin(), events_.end(), Later());
  const Event event = std::move(events_.back());
  events_.pop_back();
  happen(event);
  return true;
}

void MemoryBus::run_until(Instant end) {
  const std::lock_guard lock(mutex_);
  while (!events_.empty() && events_.front().due <= end) {
    now_ = std::max(now_, events_.front().due);
    run_one();
  }
  advance_to(end);
}

void MemoryBus::set_faults(Faults faults) {
  const std::lock_guard lock(mutex_);
  faults_ = faults;
}

void MemoryBus::set_faults(const std::string& client_id, Faults faults) {
  const std::lock_guard lock(mutex_);
  client(client_id).faults = faults;
}

void MemoryBus::partition(const std::string& client_id) {
  const std::lock_guard lock(mutex_);
  client(client_id).partitioned = true;
}

void MemoryBus::heal(const std::string& client_id) {
  const std::lock_guard lock(mutex_);
  Client& healed = client(client_id);
  healed.partitioned = false;
  if (healed.events && !healed.connected) push_connect(healed);
}

void MemoryBus::break_link(const std::string& client_id) {
  const std::lock_guard lock(mutex_);
  Client& broken = client(client_id);
  if (!broken.connected) return;
  end_session(broken, true);
  tell_disconnected(broken, "the connection broke");
}

void MemoryBus::kill(const std::string& client_id) {
  const std::lock_guard lock(mutex_);
  Client& killed = client(client_id);
  killed.events = nullptr;
  end_session(killed, true);
}

void MemoryBus::stop_broker() {
  const std::lock_guard lock(mutex_);
  broker_up_ = false;
  std::vector<Client*> cut_off;
  for (auto& [client_id, client] : clients_) {
    if (client.connected) cut_off.push_back(&client);
    end_session(client, false);
  }
  for (Client* client : cut_off) tell_disconnected(*client, "the broker died");
}

void MemoryBus::start_broker() {
  const std::lock_guard lock(mutex_);
  broker_up_ = true;
  for (auto& [client_id, client] : clients_) {
    if (client.events && !client.connected) push_connect(client);
  }
}

void MemoryBus::forget_retained() {
  const std::lock_guard lock(mutex_);
  retained_.clear();
}

MemoryBus::Counters MemoryBus::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

Result<void> MemoryBus::attach(const std::string& client_id, TransportEvents& events,
                               std::vector<Transport::Subscription> subscriptions, Will will) {
  const std::lock_guard lock(mutex_);
  Client& newcomer = client(client_id);
  // A broker lets it take over and publishes the will of the one it throws out.
  TransportEvents* const evicted = std::exchange(newcomer.events, nullptr);
  end_session(newcomer, true);
  newcomer.events = &events;
  subscribe(newcomer, std::move(subscriptions));
  newcomer.will = std::move(will);
  push_connect(newcomer);
  if (evicted) {
    evicted->on_disconnected({Errc::not_connected, "another client took over " + client_id});
  }
  return {};
}

void MemoryBus::listen(const std::string& client_id, TransportEvents& events,
                       std::vector<Transport::Subscription> subscriptions) {
  const std::lock_guard lock(mutex_);
  const auto found = clients_.find(client_id);
  if (found == clients_.end() || found->second.events != &events) return;
  Client& client = found->second;
  std::vector<Transport::Subscription> fresh = subscriptions;
  std::erase_if(fresh, [&](const auto& each) {
    return std::ranges::find(client.subscriptions, each) != client.subscriptions.end();
  });
  subscribe(client, std::move(subscriptions));
  if (client.connected) send_retained(client, fresh);
}

void MemoryBus::detach(const std::string& client_id, TransportEvents& events, bool graceful) {
  const std::lock_guard lock(mutex_);
  const auto found = clients_.find(client_id);
  if (found == clients_.end() || found->second.events != &events) return;
  Client& client = found->second;
  client.events = nullptr;
  if (graceful) {
    client.connected = false;  // what is on its way up still arrives, as ahead of a DISCONNECT
  } else {
    end_session(client, true);
  }
}

Result<void> MemoryBus::publish(const TransportOptions& sender, const TransportEvents* events,
                                const std::string& topic, ByteView payload,
                                PublishOptions options) {
  const std::lock_guard lock(mutex_);
  const auto found = clients_.find(sender.client_id);
  if (found == clients_.end() || found->second.events != events || !found->second.connected) {
    return {Errc::not_connected, "memory bus"};
  }
  if (!is_valid_topic(topic)) return {Errc::invalid_argument, "topic '" + topic + "'"};
  const std::size_t size = topic.size() + payload.size();
  if (size > sender.in_flight_bytes_max) {
    return {Errc::too_large, std::to_string(size) + " bytes for topic " + topic};
  }
  Client& client = found->second;
  if (client.in_flight_bytes + size > sender.in_flight_bytes_max) {
    return {Errc::backpressure, std::to_string(client.in_flight_bytes) + " bytes in flight"};
  }
  client.in_flight_bytes += size;
  auto message = std::make_shared<Message>();
  message->topic = topic;
  message->payload.assign(payload.begin(), payload.end());
  message->options = options;
  if (options.expiry.count() > 0) message->expires = now_ + options.expiry;
  ++counters_.published;
  send({now_, 0, Kind::up, &client, client.session, std::move(message), false, size});
  return {};
}

MemoryBus::Client& MemoryBus::client(const std::string& client_id) {
  const auto [it, fresh] = clients_.try_emplace(client_id);
  if (fresh) it->second.id = client_id;
  return it->second;
}

void MemoryBus::subscribe(Client& client, std::vector<Transport::Subscription> subscriptions) {
  if (client.subscriptions == subscriptions) return;
  for (const auto& subscription : client.subscriptions)
    readers_.remove(subscription.filter, &client);
  client.subscriptions = std::move(subscriptions);
  for (const auto& subscription : client.subscriptions) readers_.add(subscription.filter, &client);
}

void MemoryBus::push(Event event) {
  event.order = next_order_++;
  events_.push_back(std::move(event));
  std::push_heap(events_.begin(), events_.end(), Later());
}

void MemoryBus::push_connect(Client& client) {
  push({now_ + draw_delay(client.faults.value_or(faults_)), 0, Kind::connect, &client,
        client.session, nullptr, false, 0});
}

// Queues one crossing of a link, as often and as late as its faults say. A lost message is queued
// too, without content, so that the sender's bytes in flight come down when they would have.
void MemoryBus::send(Event event) {
  const Faults faults = event.client->faults.value_or(faults_);
  const bool kept = faults.keeps_qos1 && event.message->options.qos > 0;
  const bool lost = random_.unit() < faults.loss && !kept;
  const bool twice = random_.unit() < faults.duplicate;
  event.due = now_ + draw_delay(faults);
  if (lost || event.client->partitioned) {
    ++counters_.lost;
    event.message.reset();
    push(std::move(event));
    return;
  }
  if (twice) {
    ++counters_.duplicated;
    Event copy = event;
    copy.due = now_ + draw_delay(faults);
    copy.counted_bytes = 0;
    push(std::move(copy));
  }
  push(std::move(event));
}

Duration MemoryBus::draw_delay(const Faults& faults) {
  if (faults.delay_max <= faults.delay_min) return faults.delay_min;
  const auto spread = static_cast<std::uint64_t>((faults.delay_max - faults.delay_min).count());
  return faults.delay_min + Duration(static_cast<Duration::rep>(random_.below(spread + 1)));
}

void MemoryBus::happen(const Event& event) {
  Client& client = *event.client;
  if (event.session != client.session) {
    if (event.message) ++counters_.lost;
    return;
  }
  if (event.kind == Kind::connect) {
    connect(client);
    return;
  }
  client.in_flight_bytes -= event.counted_bytes;
  if (!event.message) return;  // lost on the way
  const bool expired = event.message->expires && *event.message->expires <= now_;
  const bool unreachable = event.kind == Kind::down && !client.connected;
  if (expired || unreachable || client.partitioned) {
    ++counters_.lost;
  } else if (event.kind == Kind::up) {
    route(event.message);
  } else {
    ++counters_.delivered;
    client.events->on_message(event.message->topic, event.message->payload, event.retained);
  }
}

void MemoryBus::connect(Client& client) {
  if (!client.events || client.connected || client.partitioned || !broker_up_) return;
  client.connected = true;
  send_retained(client, client.subscriptions);
  client.events->on_connected();
}

// In the order of their topics, each once.
void MemoryBus::send_retained(Client& client,
                              const std::vector<Transport::Subscription>& subscriptions) {
  std::map<std::string_view, std::shared_ptr<const Message>> found;
  for (const Transport::Subscription& subscription : subscriptions) {
    const std::string_view begins = beginning(subscription.filter);
    for (auto it = retained_.lower_bound(begins);
         it != retained_.end() && it->first.starts_with(begins); ++it) {
      if (topic_matches(subscription.filter, it->first)) found.emplace(it->first, it->second);
    }
  }
  for (auto& [topic, message] : found)
    send({now_, 0, Kind::down, &client, client.session, std::move(message), true, 0});
}

void MemoryBus::route(const std::shared_ptr<const Message>& message) {
  if (message->options.retain) {
    if (message->payload.empty()) {
      retained_.erase(message->topic);
    } else {
      retained_[message->topic] = message;
    }
  }
  // Each once, in a fixed order.
  std::vector<Client*> readers = readers_.readers_of(message->topic);
  std::sort(readers.begin(), readers.end(),
            [](const Client* a, const Client* b) { return a->id < b->id; });
  readers.erase(std::unique(readers.begin(), readers.end()), readers.end());
  for (Client* reader : readers) {
    if (reader->connected) send({now_, 0, Kind::down, reader, reader->session, message, false, 0});
  }
}

void MemoryBus::end_session(Client& client, bool send_will) {
  const bool was_connected = std::exchange(client.connected, false);
  ++client.session;
  client.in_flight_bytes = 0;
  if (!was_connected || !send_will || client.will.topic.empty()) return;
  auto message = std::make_shared<Message>();
  message->topic = client.will.topic;
  message->payload = client.will.payload;
  message->options = client.will.options;
  route(message);
}

void MemoryBus::tell_disconnected(Client& client, const char* why) {
  if (!client.events) return;
  if (!client.partitioned && broker_up_) {
    const auto range = static_cast<std::uint64_t>(kReconnectDelayMax.count());
    const Duration delay(static_cast<Duration::rep>(random_.below(range)));
    push({now_ + delay, 0, Kind::connect, &client, client.session, nullptr, false, 0});
  }
  client.events->on_disconnected({Errc::not_connected, why});
}

}  // namespace dunlin
