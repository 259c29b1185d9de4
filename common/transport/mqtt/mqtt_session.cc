#include "common/transport/mqtt/mqtt_session.h"

#include <algorithm>
#include <utility>

#include "common/transport/topic_filter.h"

namespace dunlin {
namespace {

constexpr std::size_t kReceiveBufferBytes = 256 * 1024;
constexpr std::chrono::seconds kAnswerTimeout{15};
constexpr std::chrono::seconds kPahoConnectTimeout{10};
constexpr std::chrono::milliseconds kDrainTimeout{500};
constexpr std::chrono::seconds kFarewellTimeout{2};
constexpr std::chrono::milliseconds kTurnPoll{50};
constexpr std::chrono::milliseconds kHandshakePoll{1};
constexpr int kHandshakePolls = 100;
constexpr std::size_t kSocketReserve = 32 << 10;  // pings, acknowledgements, kernel overhead
constexpr std::size_t kFiltersMax = 64;           // of one SUBSCRIBE
constexpr int kReasonRefused = 0x80;              // MQTT 5 reason codes from here on are failures

// Those that came with TLS 1.2, besides those of 1.3: Paho can ask for no oldest version, and what
// the system's configuration of OpenSSL permits is not ours to say.
const char* const kCiphers = "DEFAULT:!TLSv1.0:!SSLv3";

// Sockets are recognised as "new since the CONNECT", so connecting goes one after the other.
std::mutex& connecting() {
  static std::mutex mutex;
  return mutex;
}

Error from_exception(const std::exception& exception, const std::string& what) {
  const auto* paho = dynamic_cast<const mqtt::exception*>(&exception);
  const int code = paho ? paho->get_return_code() : 0;
  if (code == MQTTASYNC_DISCONNECTED) return {Errc::not_connected, what};
  if (code == MQTTASYNC_MAX_BUFFERED_MESSAGES || code == MQTTASYNC_NO_MORE_MSGIDS) {
    return {Errc::backpressure, what};
  }
  return {Errc::io, what + ": " + exception.what()};
}

// Paho C++ gives away a failed token's text only inside an exception.
std::string failure_text(const mqtt::token& token) {
  try {
    if (token.get_type() == mqtt::token::CONNECT) token.get_connect_response();
    if (token.get_type() == mqtt::token::SUBSCRIBE) token.get_subscribe_response();
  } catch (const mqtt::exception& exception) {
    if (!exception.get_message().empty()) return exception.get_message();
  }
  return "code " + std::to_string(token.get_return_code());
}

// What a refused CONNECT or SUBSCRIBE says. MQTT 3.1.1 has return codes 1 to 5; MQTT 5 has reasons,
// and Paho gives that of a CONNACK as the return code.
std::string describe(const mqtt::token& token) {
  const int code = token.get_return_code();
  const int reason = token.get_reason_code();
  if (reason >= kReasonRefused && reason != mqtt::MQTTPP_V3_CODE) {
    return mqtt::exception::reason_code_str(reason);
  }
  switch (code) {
    case 1:
      return "unacceptable protocol version";
    case 2:
      return "client id rejected";
    case 3:
      return "server unavailable";
    case 4:
      return "bad user name or password";
    case 5:
      return "not authorised";
    default:
      break;
  }
  return code >= kReasonRefused ? mqtt::exception::reason_code_str(code) : failure_text(token);
}

// MQTT 5 and 3.1.1 both answer each filter with a granted QoS or a failure.
std::optional<std::string> refused_filter(const mqtt::token& token) {
  if (token.get_type() != mqtt::token::SUBSCRIBE) return std::nullopt;
  const auto codes = token.get_subscribe_response().get_reason_codes();
  if (codes.size() != token.get_topics()->size()) return "an answer to other than was asked";
  const auto refused = std::ranges::find_if(
      codes, [](auto code) { return static_cast<std::uint8_t>(code) >= kReasonRefused; });
  if (refused == codes.end()) return std::nullopt;
  return (*token.get_topics())[static_cast<std::size_t>(refused - codes.begin())];
}

}  // namespace

MqttSession::MqttSession(const TransportOptions& options, const BrokerUrl& url,
                         TransportEvents& events)
    : options_(options), url_(url), events_(events) {}

MqttSession::~MqttSession() {
  if (!client_ || !connected_) return;
  try {
    client_->disconnect(static_cast<int>(kDrainTimeout.count()))->wait_for(kFarewellTimeout);
  } catch (const std::exception&) {
    // The connection is gone already, which is all that was wanted.
  }
}

Result<void> MqttSession::connect(const std::vector<Transport::Subscription>& subscriptions,
                                  const Will& will) {
  try {
    DUNLIN_TRY(open(will));
    return subscribe(subscriptions);
  } catch (const std::exception& exception) {
    return from_exception(exception, "connecting to " + url_.address());
  }
}

// Paho readies OpenSSL with the first client, whether it will use TLS or not: 1.5 MB of resident
// memory that a plain connection can do without. OpenSSL readies itself when a TLS connection comes
// later.
void leave_openssl_alone() {
  static const bool done = [] {
    MQTTAsync_init_options options = MQTTAsync_init_options_initializer;
    options.do_openssl_init = 0;
    MQTTAsync_global_init(&options);
    return true;
  }();
  (void)done;
}

Result<void> MqttSession::open(const Will& will) {
  std::unique_lock turn(connecting(), std::defer_lock);
  while (!turn.try_lock()) {
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, kTurnPoll, [this] { return cancelled_; })) {
      return {Errc::closed, "stopped"};
    }
  }
  const std::vector<TcpSocket> others = tcp_sockets_to(url_.port);

  if (!url_.tls) leave_openssl_alone();
  client_ = std::make_unique<mqtt::async_client>((url_.tls ? "ssl://" : "tcp://") + url_.address(),
                                                 options_.client_id,
                                                 mqtt::create_options(options_.protocol));
  client_->set_callback(*this);
  if (options_.protocol == 5) {
    client_->set_disconnected_handler([this](const mqtt::properties&, mqtt::ReasonCode reason) {
      const std::lock_guard lock(mutex_);
      farewell_ = ": " + mqtt::exception::reason_code_str(reason);
    });
  }
  expect(mqtt::token::CONNECT, 1);
  const mqtt::token_ptr connected = client_->connect(connect_options(will), nullptr, answers_);
  for (int n = 0; url_.tls && n < kHandshakePolls && !settles_within(kHandshakePoll); ++n)
    events_.on_handshake();
  DUNLIN_TRY(wait_for_answers("connecting"));
  connected_ = true;
  const mqtt::properties properties = connected->get_connect_response().get_properties();
  if (properties.contains(mqtt::property::RECEIVE_MAXIMUM)) {
    receive_maximum_ = mqtt::get<std::uint16_t>(properties, mqtt::property::RECEIVE_MAXIMUM);
  }
  if (properties.contains(mqtt::property::TOPIC_ALIAS_MAXIMUM)) {
    aliases_max_ = mqtt::get<std::uint16_t>(properties, mqtt::property::TOPIC_ALIAS_MAXIMUM);
  }

  for (const TcpSocket& socket : tcp_sockets_to(url_.port)) {
    if (std::ranges::find(others, socket) == others.end()) socket_ = socket;
  }
  if (socket_) tune(*socket_, options_.in_flight_bytes_max, kReceiveBufferBytes);
  return {};
}

Result<void> MqttSession::subscribe(const std::vector<Transport::Subscription>& subscriptions) {
  const std::size_t each = filters_max();
  expect(mqtt::token::SUBSCRIBE, (subscriptions.size() + each - 1) / each);
  subscribed_ = subscriptions;
  std::ranges::sort(subscribed_);
  send_subscribes(subscriptions);
  return wait_for_answers("subscribing");
}

// Of an answer in MQTT 3.1.1 Paho reads as many codes as filters were sent, whatever came.
std::size_t MqttSession::filters_max() const {
  return options_.protocol == 5 ? kFiltersMax : 1;
}

void MqttSession::send_subscribes(const std::vector<Transport::Subscription>& subscriptions) {
  for (std::size_t begin = 0; begin < subscriptions.size(); begin += filters_max()) {
    const std::size_t end = std::min(begin + filters_max(), subscriptions.size());
    auto filters = std::make_shared<mqtt::string_collection>();
    std::vector<int> qos;
    for (std::size_t i = begin; i < end; ++i) {
      filters->push_back(subscriptions[i].filter);
      qos.push_back(subscriptions[i].qos);
    }
    client_->subscribe(filters, qos, nullptr, answers_);
  }
}

void MqttSession::listen(const std::vector<Transport::Subscription>& subscriptions) {
  std::vector<Transport::Subscription> wanted = subscriptions, fresh, over;
  std::ranges::sort(wanted);
  std::ranges::set_difference(wanted, subscribed_, std::back_inserter(fresh));
  constexpr auto kFilter = &Transport::Subscription::filter;
  std::ranges::set_difference(subscribed_, wanted, std::back_inserter(over), {}, kFilter, kFilter);
  subscribed_ = std::move(wanted);
  try {
    send_subscribes(fresh);
    for (std::size_t begin = 0; begin < over.size(); begin += kFiltersMax) {
      auto filters = std::make_shared<mqtt::string_collection>();
      for (std::size_t i = begin; i < std::min(begin + kFiltersMax, over.size()); ++i)
        filters->push_back(over[i].filter);
      client_->unsubscribe(filters);
    }
  } catch (const std::exception&) {
    // The connection is gone, of which connection_lost() tells.
  }
}

mqtt::connect_options MqttSession::connect_options(const Will& will) const {
  mqtt::connect_options options;
  options.set_mqtt_version(options_.protocol);
  if (options_.protocol == 5) {
    options.set_clean_start(true);
  } else {
    options.set_clean_session(true);
  }
  options.set_keep_alive_interval(options_.keep_alive);
  options.set_connect_timeout(kPahoConnectTimeout);
  options.set_automatic_reconnect(false);
  if (!options_.username.empty()) {
    options.set_user_name(options_.username);
    options.set_password(options_.password);
  }
  if (!will.topic.empty()) {
    options.set_will(mqtt::will_options(will.topic, will.payload.data(), will.payload.size(),
                                        will.options.qos, will.options.retain));
  }
  if (url_.tls) {
    mqtt::ssl_options tls;
    tls.set_enable_server_cert_auth(true);
    tls.set_verify(true);  // the certificate names the host we asked for
    tls.set_enabled_cipher_suites(kCiphers);
    if (!options_.ca_file.empty()) tls.set_trust_store(options_.ca_file);
    if (!options_.cert_file.empty()) {
      tls.set_key_store(options_.cert_file);
      tls.set_private_key(options_.key_file);
    }
    options.set_ssl(std::move(tls));
  }
  return options;
}

void MqttSession::expect(mqtt::token::Type request, std::size_t answers) {
  const std::lock_guard lock(mutex_);
  awaited_ = request;
  answers_missing_ = answers;
}

// False: neither the answers came nor what ends waiting for them.
bool MqttSession::settles_within(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(
      lock, time, [this] { return answers_missing_ == 0 || refusal_ || lost_ || cancelled_; });
}

Result<void> MqttSession::wait_for_answers(const char* what) {
  const bool in_time = settles_within(kAnswerTimeout);
  const std::lock_guard lock(mutex_);
  if (cancelled_) return {Errc::closed, "stopped"};
  if (refusal_) return *refusal_;
  if (lost_) return *lost_;
  if (!in_time) return {Errc::timeout, std::string(what) + ": no answer from " + url_.address()};
  return {};
}

// Paho reports the success of one CONNECT twice; the second must not pass for a SUBACK.
void MqttSession::answered(const mqtt::token& token, std::optional<Error> refusal) {
  const std::lock_guard lock(mutex_);
  if (token.get_type() != awaited_) return;
  if (answers_missing_ > 0) --answers_missing_;
  if (refusal && !refusal_) refusal_ = std::move(refusal);
  changed_.notify_all();
}

Error MqttSession::wait_until_lost() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return lost_ || refusal_ || cancelled_; });
  if (lost_) return *lost_;
  return refusal_ ? *refusal_ : Error{Errc::closed, "stopped"};
}

void MqttSession::cancel() {
  const std::lock_guard lock(mutex_);
  cancelled_ = true;
  changed_.notify_all();
}

void MqttSession::abandon() {
  if (!socket_) return;
  cut(*socket_);
  connected_ = false;
}

Result<void> MqttSession::publish(const std::string& topic, ByteView payload,
                                  PublishOptions options) {
  const std::size_t size = topic.size() + payload.size();
  if (size > options_.in_flight_bytes_max) {
    return {Errc::too_large, std::to_string(size) + " bytes for topic " + topic};
  }
  if (!is_valid_topic(topic)) return {Errc::invalid_argument, "topic '" + topic + "'"};
  // Paho would queue what exceeds the broker's receive maximum and look at the queue once a second.
  const std::size_t waits = options.qos > 0 ? 1 : 0;
  const std::size_t weight = size * 2 + waits;
  const std::size_t before = in_flight_.bytes.fetch_add(size);
  const std::size_t waiting = in_flight_.unacknowledged.fetch_add(waits);
  if (before + size > options_.in_flight_bytes_max || waiting + waits > receive_maximum_ ||
      !fits_socket(before, size)) {
    in_flight_.take_off(weight);
    return {Errc::backpressure, std::to_string(before) + " bytes in flight"};
  }
  try {
    mqtt::properties properties;
    if (options.expiry.count() > 0 && options_.protocol == 5) {
      properties.add(mqtt::property(mqtt::property::MESSAGE_EXPIRY_INTERVAL,
                                    static_cast<std::int32_t>(options.expiry.count())));
    }
    const auto send = [&](const std::string& name) {
      client_->publish(mqtt::message::create(name, payload.data(), payload.size(), options.qos,
                                             options.retain, properties),
                       reinterpret_cast<void*>(weight), in_flight_);
    };
    const std::lock_guard in_order(publishing_);
    const auto alias = aliases_.find(topic);
    const bool known = alias != aliases_.end();
    if (!known && aliases_.size() >= aliases_max_) {
      send(topic);
    } else {
      const auto number = known ? alias->second : static_cast<std::uint16_t>(aliases_.size() + 1);
      properties.add(mqtt::property(mqtt::property::TOPIC_ALIAS, number));
      send(known ? std::string() : topic);
      aliases_.emplace(topic, number);
    }
  } catch (const std::exception& exception) {
    in_flight_.take_off(weight);
    return from_exception(exception, "publishing to " + topic);
  }
  return {};
}

// A write that fills the socket's buffer puts Paho's sender to sleep for up to a second, so we
// refuse before. A message larger than the buffer goes when it is alone.
bool MqttSession::fits_socket(std::size_t in_flight, std::size_t size) const {
  const auto buffer = socket_ ? send_buffer(*socket_) : std::nullopt;
  if (!buffer) return true;
  const std::size_t used = buffer->used + in_flight;
  return used == 0 || used + size + kSocketReserve <= buffer->size;
}

std::size_t MqttSession::unsent_bytes() const {
  return in_flight_.bytes + (socket_ ? unsent(*socket_) : 0);
}

void MqttSession::connection_lost(const std::string& cause) {
  const std::lock_guard lock(mutex_);
  lost_ = Error{Errc::not_connected, "connection to " + url_.address() + " lost" + farewell_ +
                                         (cause.empty() ? "" : ": " + cause)};
  changed_.notify_all();
}

void MqttSession::message_arrived(mqtt::const_message_ptr message) {
  const mqtt::binary_ref& payload = message->get_payload_ref();
  const auto bytes = payload ? as_bytes(payload.str()) : ByteView();
  events_.on_message(message->get_topic(), bytes, message->is_retained());
}

void MqttSession::Answers::on_success(const mqtt::token& token) {
  std::optional<Error> refusal;
  if (const auto filter = refused_filter(token)) refusal = session_.refused(token, *filter);
  session_.answered(token, std::move(refusal));
}

void MqttSession::Answers::on_failure(const mqtt::token& token) {
  const auto topics = token.get_topics();
  session_.answered(token, session_.refused(token, topics && !topics->empty() ? (*topics)[0] : ""));
}

// Of a SUBSCRIBE: which filter.
Error MqttSession::refused(const mqtt::token& token, const std::string& filter) const {
  std::string what = url_.address();
  if (token.get_type() == mqtt::token::SUBSCRIBE) what += ": subscription to " + filter;
  return {Errc::not_connected, what + " refused: " + describe(token)};
}

void MqttSession::InFlight::on_success(const mqtt::token& token) {
  take_off(reinterpret_cast<std::size_t>(token.get_user_context()));
}

void MqttSession::InFlight::on_failure(const mqtt::token& token) {
  on_success(token);
}

void MqttSession::InFlight::take_off(std::size_t weight) {
  bytes.fetch_sub(weight / 2);
  unacknowledged.fetch_sub(weight % 2);
}

}  // namespace dunlin
