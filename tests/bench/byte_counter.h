#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>

#include "dunlin/result.h"

namespace dunlin::bench {

// Wire bytes of one side: a TCP proxy on a free port of 127.0.0.1 that forwards every connection to
// another loopback port and counts the payload. One thread of its own; Nagle's algorithm is off on
// both sides; a connection whose target refuses is closed at once. Sustains more than 1 GB/s.
class ByteCounter {
 public:
  static Result<std::unique_ptr<ByteCounter>> start(std::uint16_t target_port);
  // Closes what is open.
  ~ByteCounter();
  ByteCounter(const ByteCounter&) = delete;
  ByteCounter& operator=(const ByteCounter&) = delete;

  std::uint16_t port() const { return port_; }
  // Payload bytes since the start, of all connections; any thread may ask.
  std::uint64_t bytes_to_target() const { return to_target_.load(std::memory_order_relaxed); }
  std::uint64_t bytes_from_target() const { return from_target_.load(std::memory_order_relaxed); }
  std::uint64_t bytes() const { return bytes_to_target() + bytes_from_target(); }

 private:
  class Proxy;
  ByteCounter() = default;

  std::uint16_t port_ = 0;
  std::atomic<std::uint64_t> to_target_{0}, from_target_{0};
  std::unique_ptr<Proxy> proxy_;
  std::thread thread_;
};

}  // namespace dunlin::bench
