#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace dunlin::http {

// Accepted connections that no thread has taken up yet, fair among the addresses that they come
// from: whoever is served least is next. Thread-safe.
class Waiting {
 public:
  struct Caller {
    int fd = -1;
    std::string address;  // as bytes; of IPv6 the first 64 bits, which one customer has
  };

  // `of_one_max`: of one address; above that they are not taken.
  Waiting(std::size_t most, std::size_t of_one_max) : most_(most), of_one_max_(of_one_max) {}

  // Waits while there is no room for anybody. False: not taken.
  bool push(Caller caller);
  // Waits for one; nothing after close(). done() says that it was served.
  std::optional<Caller> pop();
  void done(const Caller& caller);
  // The rest is popped, and nothing more is taken, until open().
  void close() { set_closed(true); }
  void open() { set_closed(false); }

  bool empty() const { return size_ == 0; }

 private:
  void set_closed(bool closed);

  const std::size_t most_, of_one_max_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Caller> callers_;
  std::atomic<std::size_t> size_{0};  // of callers_
  std::map<std::string, std::size_t> served_;
  bool closed_ = false;
};

// Where a connected socket's peer is; "" when that is not known.
std::string address_of_peer(int fd);

}  // namespace dunlin::http
