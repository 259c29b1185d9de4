#include "tests/bench/byte_counter.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace dunlin::bench {
namespace {

constexpr std::size_t kBufferBytes = 256 << 10;

class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

Error system_error(const char* what) {
  return {Errc::io, std::string(what) + ": " + std::strerror(errno)};
}

// Bytes on their way from one socket to the other. While some wait, nothing more is read.
struct Direction {
  int from = -1, to = -1;
  std::atomic<std::uint64_t>* count = nullptr;
  std::vector<char> buffer = std::vector<char>(kBufferBytes);
  std::size_t begin = 0, end = 0;
  bool finished = false;  // `from` has ended and `to` was told

  bool waiting() const { return begin < end; }

  // Moves what can be moved now; false when the connection is broken.
  bool pump() {
    while (!finished) {
      if (!waiting()) {
        const ssize_t got = recv(from, buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (got < 0) return errno == EAGAIN || errno == EINTR;
        if (got == 0) {
          finished = true;
          return shutdown(to, SHUT_WR) == 0;
        }
        begin = 0;
        end = static_cast<std::size_t>(got);
        count->fetch_add(end, std::memory_order_relaxed);
      }
      const ssize_t sent =
          send(to, buffer.data() + begin, end - begin, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent < 0) return errno == EAGAIN || errno == EINTR;
      begin += static_cast<std::size_t>(sent);
      // A short read has emptied the socket: ask epoll rather than recv again.
      if (!waiting() && end < buffer.size()) return true;
    }
    return true;
  }
};

struct Connection {
  Fd client, target;
  Direction up, down;
};

}  // namespace

class ByteCounter::Proxy {
 public:
  Proxy(ByteCounter& counter, std::uint16_t target_port)
      : counter_(counter), target_port_(target_port) {}

  Result<std::uint16_t> listen();
  void run();
  void stop() { eventfd_write(stop_.get(), 1); }

 private:
  void accept_one();
  void serve(int fd);
  void watch(int fd, std::uint32_t events, int operation);
  void drop(Connection* connection);

  ByteCounter& counter_;
  const std::uint16_t target_port_;
  Fd epoll_, stop_, listener_;
  std::unordered_map<int, std::shared_ptr<Connection>> connections_;  // by either descriptor
};

Result<std::uint16_t> ByteCounter::Proxy::listen() {
  epoll_ = Fd(epoll_create1(EPOLL_CLOEXEC));
  stop_ = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  listener_ = Fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof(address);
  if (bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      ::listen(listener_.get(), SOMAXCONN) != 0 ||
      getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return system_error("byte counter");
  }
  watch(stop_.get(), EPOLLIN, EPOLL_CTL_ADD);
  watch(listener_.get(), EPOLLIN, EPOLL_CTL_ADD);
  return ntohs(address.sin_port);
}

void ByteCounter::Proxy::run() {
  std::array<epoll_event, 64> events;
  while (true) {
    const int n = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < n; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd == stop_.get()) return;
      if (fd == listener_.get()) {
        accept_one();
      } else {
        serve(fd);
      }
    }
  }
}

void ByteCounter::Proxy::watch(int fd, std::uint32_t events, int operation) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  epoll_ctl(epoll_.get(), operation, fd, &event);
}

void ByteCounter::Proxy::accept_one() {
  Fd client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  Fd target(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = loopback(target_port_);
  if (client.get() < 0 ||
      connect(target.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return;
  }
  const int on = 1;
  for (const int fd : {client.get(), target.get()}) {
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  auto connection = std::make_shared<Connection>();
  connection->up.from = connection->down.to = client.get();
  connection->up.to = connection->down.from = target.get();
  connection->up.count = &counter_.to_target_;
  connection->down.count = &counter_.from_target_;
  connection->client = std::move(client);
  connection->target = std::move(target);
  for (const int fd : {connection->client.get(), connection->target.get()}) {
    watch(fd, EPOLLIN, EPOLL_CTL_ADD);
    connections_[fd] = connection;
  }
}

void ByteCounter::Proxy::serve(int fd) {
  const auto found = connections_.find(fd);
  if (found == connections_.end()) return;  // dropped by an event before this one
  const std::shared_ptr<Connection> connection = found->second;
  Direction& up = connection->up;
  Direction& down = connection->down;
  if (!up.pump() || !down.pump() || (up.finished && down.finished)) {
    return drop(connection.get());
  }
  const auto interest = [](const Direction& reads, const Direction& writes) {
    return (reads.waiting() || reads.finished ? 0u : std::uint32_t{EPOLLIN}) |
           (writes.waiting() ? std::uint32_t{EPOLLOUT} : 0u);
  };
  watch(connection->client.get(), interest(up, down), EPOLL_CTL_MOD);
  watch(connection->target.get(), interest(down, up), EPOLL_CTL_MOD);
}

void ByteCounter::Proxy::drop(Connection* connection) {
  for (const int fd : {connection->client.get(), connection->target.get()}) connections_.erase(fd);
}

Result<std::unique_ptr<ByteCounter>> ByteCounter::start(std::uint16_t target_port) {
  std::unique_ptr<ByteCounter> counter(new ByteCounter);
  counter->proxy_ = std::make_unique<Proxy>(*counter, target_port);
  DUNLIN_ASSIGN(counter->port_, counter->proxy_->listen());
  counter->thread_ = std::thread([proxy = counter->proxy_.get()] { proxy->run(); });
  return counter;
}

ByteCounter::~ByteCounter() {
  if (!thread_.joinable()) return;
  proxy_->stop();
  thread_.join();
}

}  // namespace dunlin::bench
