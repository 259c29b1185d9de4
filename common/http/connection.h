#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>

#include "common/http/tls.h"

namespace dunlin::http {

// One accepted socket with deadlines. A timeout per read() lets a client that sends a byte now and
// then hold its thread for ever; here a whole request has to arrive by a time, and so has the
// answer. Used by one thread; `stopping` ends every wait within one slice (50 ms).
class Connection {
 public:
  using Clock = std::chrono::steady_clock;

  // Takes over `fd`, which must be connected.
  Connection(int fd, const std::atomic<bool>& stopping);
  // Closes; after end_input() so that the peer can read the answer though it had more to send.
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Speaks TLS from here on. `untrusted` or `expired` (before its time, too) when the client shows
  // such a certificate, `malformed` when it does not speak TLS, `timeout`, or `closed` as we stop.
  Result<void> start_tls(TlsContext& context, Clock::time_point deadline);
  // Null without TLS.
  const SSL* tls() const { return tls_.get(); }

  // Every read fails from `deadline` on, and once `bytes_max` bytes were read.
  void bound_input(Clock::time_point deadline, std::size_t bytes_max) {
    read_deadline_ = deadline;
    read_bytes_left_ = bytes_max;
  }
  // Nothing more will be read: the rest of the request is unwanted.
  void end_input() { input_ended_ = true; }
  bool input_ended() const { return input_ended_; }

  // Waits one slice for something to read, or the end.
  bool input_comes() const;

  // Up to `size` bytes, at least one; 0 at the end; -1 on failure or beyond a bound.
  ssize_t read(char* data, std::size_t size);
  // All of it, or -1.
  ssize_t write(const char* data, std::size_t size, Clock::time_point deadline);

 private:
  bool wait(short events, Clock::time_point until) const;
  // As recv(), but for -1 also at the deadline.
  ssize_t receive(Clock::time_point deadline);
  ssize_t send_some(const char* data, std::size_t size, Clock::time_point deadline);
  // Waits for what a call of OpenSSL that returned `code` asks for; false when it failed.
  bool wait_for_tls(int code, Clock::time_point deadline) const;

  Error tls_fault(Clock::time_point deadline) const;

  static constexpr std::chrono::milliseconds kSlice{50};

  int fd_;
  TlsSession tls_;
  const std::atomic<bool>& stopping_;
  Clock::time_point read_deadline_;
  std::size_t read_bytes_left_ = 0;
  bool input_ended_ = false;
  std::array<char, 4096> buffer_;
  std::size_t next_ = 0;
  std::size_t filled_ = 0;
};

}  // namespace dunlin::http
