#pragma once

#include <memory>

#include "common/transport/memory/memory_bus.h"
#include "dunlin/transport.h"

namespace dunlin {

// A client of a MemoryBus. Its events are called by whoever runs the bus. Of the options it uses
// client_id and in_flight_bytes_max; the bytes in flight are those that have not reached the
// broker.
class MemoryTransport final : public Transport {
 public:
  MemoryTransport(std::shared_ptr<MemoryBus> bus, TransportOptions options);
  ~MemoryTransport() override;  // stops gracefully
  MemoryTransport(const MemoryTransport&) = delete;
  MemoryTransport& operator=(const MemoryTransport&) = delete;

  // The factory of `memory://name`: a client of MemoryBus::named(name).
  static Result<std::unique_ptr<Transport>> make(TransportOptions options);

  Result<void> start(TransportEvents& events, std::vector<Subscription> subscriptions,
                     Will will) override;
  void listen(std::vector<Subscription> subscriptions) override;
  Result<void> publish(const std::string& topic, ByteView payload, PublishOptions options) override;
  std::size_t unsent_bytes() override { return 0; }  // there is no line to stand in
  void stop(bool graceful) override;

 private:
  std::shared_ptr<MemoryBus> bus_;
  TransportOptions options_;
  TransportEvents* events_ = nullptr;
};

}  // namespace dunlin
