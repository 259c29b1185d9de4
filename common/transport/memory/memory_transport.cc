#include "common/transport/memory/memory_transport.h"

#include <utility>

#include "common/transport/topic_filter.h"

namespace dunlin {

MemoryTransport::MemoryTransport(std::shared_ptr<MemoryBus> bus, TransportOptions options)
    : bus_(std::move(bus)), options_(std::move(options)) {}

MemoryTransport::~MemoryTransport() {
  MemoryTransport::stop(true);
}

Result<std::unique_ptr<Transport>> MemoryTransport::make(TransportOptions options) {
  const std::size_t end = options.url.find("://");
  if (end == std::string::npos || options.client_id.empty()) {
    return {Errc::invalid_argument, "memory transport: needs a url memory://name and a client id"};
  }
  auto bus = MemoryBus::named(options.url.substr(end + 3));
  return std::unique_ptr<Transport>(
      std::make_unique<MemoryTransport>(std::move(bus), std::move(options)));
}

Result<void> MemoryTransport::start(TransportEvents& events,
                                    std::vector<Subscription> subscriptions, Will will) {
  if (events_) return {Errc::exists, "memory transport: already started"};
  for (const Subscription& subscription : subscriptions) {
    if (!is_valid_filter(subscription.filter)) {
      return {Errc::invalid_argument, "topic filter '" + subscription.filter + "'"};
    }
  }
  DUNLIN_TRY(bus_->attach(options_.client_id, events, std::move(subscriptions), std::move(will)));
  events_ = &events;
  return {};
}

void MemoryTransport::listen(std::vector<Subscription> subscriptions) {
  if (events_) bus_->listen(options_.client_id, *events_, std::move(subscriptions));
}

Result<void> MemoryTransport::publish(const std::string& topic, ByteView payload,
                                      PublishOptions options) {
  if (!events_) return {Errc::not_connected, "memory transport: not started"};
  return bus_->publish(options_, events_, topic, payload, options);
}

void MemoryTransport::stop(bool graceful) {
  if (TransportEvents* events = std::exchange(events_, nullptr)) {
    bus_->detach(options_.client_id, *events, graceful);
  }
}

}  // namespace dunlin
