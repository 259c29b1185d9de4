#include "common/transport/mqtt/mqtt_transport.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "common/transport/mqtt/backoff.h"
#include "common/transport/mqtt/mqtt_session.h"
#include "common/transport/topic_filter.h"

namespace dunlin {
namespace {

// FNV-1a, so that nodes with the same seed do not reconnect in step.
std::uint64_t hash(const std::string& text) {
  std::uint64_t value = 0xcbf29ce484222325ULL;
  for (const char c : text) value = (value ^ static_cast<std::uint8_t>(c)) * 0x100000001b3ULL;
  return value;
}

}  // namespace

Result<std::unique_ptr<Transport>> MqttTransport::make(TransportOptions options) {
  std::vector<std::string> texts = options.more_urls;
  texts.insert(texts.begin(), options.url);
  std::vector<BrokerUrl> urls;
  for (const std::string& text : texts) {
    DUNLIN_ASSIGN(const BrokerUrl url, BrokerUrl::parse(text));
    if (url.is_exposed() && !options.plain) {
      return {Errc::invalid_argument,
              "broker url '" + text + "': plain TCP to another machine was not asked for"};
    }
    urls.push_back(url);
  }
  if (options.protocol != 4 && options.protocol != 5) {
    return {Errc::invalid_argument,
            "mqtt protocol " + std::to_string(options.protocol) + " is neither 5 nor 4 (3.1.1)"};
  }
  if (options.client_id.empty()) return {Errc::invalid_argument, "mqtt: the client id is empty"};
  if (options.cert_file.empty() != options.key_file.empty()) {
    return {Errc::invalid_argument, "mqtt: cert_file and key_file go together"};
  }
  return std::unique_ptr<Transport>(new MqttTransport(std::move(options), std::move(urls)));
}

MqttTransport::MqttTransport(TransportOptions options, std::vector<BrokerUrl> urls)
    : options_(std::move(options)), urls_(std::move(urls)) {}

MqttTransport::~MqttTransport() {
  MqttTransport::stop(true);
}

Result<void> MqttTransport::start(TransportEvents& events, std::vector<Subscription> subscriptions,
                                  Will will) {
  if (events_) return {Errc::exists, "mqtt transport: already started"};
  bound(subscriptions);
  for (const Subscription& subscription : subscriptions) {
    if (!is_valid_filter(subscription.filter)) {
      return {Errc::invalid_argument, "topic filter '" + subscription.filter + "'"};
    }
  }
  if (!will.topic.empty() && !is_valid_topic(will.topic)) {
    return {Errc::invalid_argument, "will topic '" + will.topic + "'"};
  }
  events_ = &events;
  subscriptions_ = std::move(subscriptions);
  will_ = std::move(will);
  will_.options.qos = std::min(will_.options.qos, options_.qos_max);
  try {
    thread_ = std::thread(&MqttTransport::run, this);
  } catch (const std::exception& exception) {
    return {Errc::io, std::string("mqtt transport: ") + exception.what()};
  }
  return {};
}

void MqttTransport::bound(std::vector<Subscription>& subscriptions) const {
  for (Subscription& each : subscriptions) each.qos = std::min(each.qos, options_.qos_max);
}

void MqttTransport::listen(std::vector<Subscription> subscriptions) {
  bound(subscriptions);
  const std::unique_lock lock(session_mutex_);
  subscriptions_ = std::move(subscriptions);
  if (connected_) connected_->listen(subscriptions_);
}

Result<void> MqttTransport::publish(const std::string& topic, ByteView payload,
                                    PublishOptions options) {
  const std::shared_lock lock(session_mutex_);
  if (!connected_) return {Errc::not_connected, "publishing to " + topic};
  options.qos = std::min(options.qos, options_.qos_max);
  return connected_->publish(topic, payload, options);
}

std::size_t MqttTransport::unsent_bytes() {
  const std::shared_lock lock(session_mutex_);
  return connected_ ? connected_->unsent_bytes() : 0;
}

void MqttTransport::stop(bool graceful) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_) graceful_ = graceful;
    stopping_ = true;
    wake_.notify_all();
  }
  {
    const std::shared_lock lock(session_mutex_);
    if (session_) session_->cancel();
  }
  if (thread_.joinable()) thread_.join();
}

bool MqttTransport::stopping() {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

void MqttTransport::run() {
  Backoff backoff(options_.seed ^ hash(options_.client_id));
  for (std::size_t turn = 0; !stopping(); ++turn) {
    Duration held{0};
    const Error reason = hold_one_connection(urls_[turn % urls_.size()], held);
    if (stopping()) return;
    events_->on_disconnected(reason);
    const Duration delay = backoff.next(held);
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, delay, [this] { return stopping_; });
  }
}

// Connects and waits for the end. Returns why it came and how long the connection lasted.
Error MqttTransport::hold_one_connection(const BrokerUrl& url, Duration& held) {
  MqttSession session(options_, url, *events_);
  std::vector<Subscription> subscriptions;
  {
    const std::unique_lock lock(session_mutex_);
    session_ = &session;
    subscriptions = subscriptions_;
  }
  Error reason{Errc::closed, "stopped"};
  // stop() sets stopping_ first and looks for the session then: one of the two sees the other.
  if (!stopping()) {
    if (const Result<void> connected = session.connect(subscriptions, will_); !connected) {
      reason = connected.error();
    } else {
      const auto since = std::chrono::steady_clock::now();
      {
        const std::unique_lock lock(session_mutex_);
        connected_ = &session;
        session.listen(subscriptions_);  // which may be others by now
      }
      events_->on_connected();
      reason = session.wait_until_lost();
      held = std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - since);
    }
  }
  {
    const std::unique_lock lock(session_mutex_);
    session_ = nullptr;
    connected_ = nullptr;
  }
  const std::lock_guard lock(mutex_);
  if (stopping_ && !graceful_) session.abandon();
  return reason;
}

}  // namespace dunlin
