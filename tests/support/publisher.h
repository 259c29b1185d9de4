#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "common/base/check.h"
#include "dunlin/transport.h"
#include "tests/support/eventually.h"

namespace dunlin::test {

// Any MQTT client that publishes. Each one in a process costs some two seconds at connect, after
// the first.
class Publisher final : public TransportEvents {
 public:
  Publisher(const std::string& url, const std::string& client_id)
      : Publisher(TransportOptions{.url = url, .client_id = client_id}) {}
  explicit Publisher(TransportOptions options) {
    auto transport = make_transport(std::move(options));
    DUNLIN_CHECK(transport.ok());
    transport_ = *std::move(transport);
    DUNLIN_CHECK(transport_->start(*this, {}, {}).ok());
  }
  ~Publisher() override { transport_->stop(true); }

  // Waits for the connection and for room; false when neither comes.
  bool say(const std::string& topic, ByteView payload, bool retain = false) {
    return eventually([&] {
      return connected_ && transport_->publish(topic, payload, {.qos = 1, .retain = retain}).ok();
    });
  }
  // Waits for nothing.
  bool offer(const std::string& topic, ByteView payload) {
    return connected_ && transport_->publish(topic, payload, {}).ok();
  }
  bool say(const std::string& topic, std::string_view text) { return say(topic, as_bytes(text)); }

 private:
  void on_connected() override { connected_ = true; }
  void on_disconnected(const Error&) override { connected_ = false; }
  void on_message(std::string_view, ByteView, bool) override {}

  std::unique_ptr<Transport> transport_;
  std::atomic<bool> connected_{false};
};

}  // namespace dunlin::test
