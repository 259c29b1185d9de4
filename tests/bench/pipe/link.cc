#include "tests/bench/pipe/link.h"

#include <chrono>

#include "common/transport/mqtt/tcp_sockets.h"
#include "tests/bench/pipe/report.h"

namespace dunlin::bench {
namespace {

constexpr std::chrono::seconds kAnswerTimeout{10};
constexpr std::chrono::milliseconds kDrainTimeout{500};
constexpr std::size_t kSendBufferBytes = 4 << 20;

}  // namespace

Link::Link(const Options& options, LinkEvents& events) : options_(options), events_(events) {}

Link::~Link() {
  try {
    if (client_ && client_->is_connected()) {
      client_->disconnect(static_cast<int>(kDrainTimeout.count()))->wait_for(kAnswerTimeout);
    }
  } catch (const std::exception&) {
    // Gone already.
  }
}

Result<void> Link::connect() {
  const std::string url = "tcp://127.0.0.1:" + std::to_string(options_.port);
  try {
    client_ = std::make_unique<mqtt::async_client>(url, options_.client_id,
                                                   mqtt::create_options(MQTTVERSION_3_1_1));
    client_->set_callback(*this);
    mqtt::connect_options connect;
    connect.set_mqtt_version(MQTTVERSION_3_1_1);
    connect.set_clean_session(true);
    connect.set_max_inflight(options_.window);
    if (!client_->connect(connect)->wait_for(kAnswerTimeout)) return {Errc::timeout, url};
    connected_us_ = clock_us();
    for (const TcpSocket& socket : tcp_sockets_to(options_.port)) tune(socket, kSendBufferBytes, 0);
    if (!client_->subscribe(options_.subscription, 1)->wait_for(kAnswerTimeout)) {
      return {Errc::timeout, "subscribing to " + options_.subscription};
    }
  } catch (const std::exception& exception) {
    return {Errc::not_connected, url + ": " + exception.what()};
  }
  return {};
}

Result<void> Link::publish(const std::string& topic, const std::string& payload, int qos) {
  try {
    auto message = mqtt::message::create(topic, payload.data(), payload.size(), qos, false);
    if (qos == 0) {
      client_->publish(std::move(message));
    } else {
      client_->publish(std::move(message), nullptr, *this);
    }
  } catch (const std::exception& exception) {
    return {Errc::not_connected, exception.what()};
  }
  return {};
}

}  // namespace dunlin::bench
