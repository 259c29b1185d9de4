#include "common/http/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace dunlin::http {

Connection::Connection(int fd, const std::atomic<bool>& stopping)
    : fd_(fd), stopping_(stopping), read_deadline_(Clock::now()) {
  const int yes = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

Connection::~Connection() {
  // Closing with unread input resets the connection, and the reset may overtake the answer. So say
  // that we are done, then take in a little of what is still under way.
  if (input_ended_) ::shutdown(fd_, SHUT_WR);
  const auto until = Clock::now() + std::chrono::milliseconds(500);
  while (input_ended_ && wait(POLLIN, until) &&
         ::recv(fd_, buffer_.data(), buffer_.size(), MSG_DONTWAIT) > 0) {
  }
  ::close(fd_);
}

bool Connection::wait(short events, Clock::time_point until) const {
  while (!stopping_) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
    if (left.count() <= 0) return false;
    pollfd entry{fd_, events, 0};
    const int ready = ::poll(&entry, 1, static_cast<int>(std::min(left, kSlice).count()));
    if (ready > 0) return true;  // errors and hang-ups too: the call that follows reports them
    if (ready < 0 && errno != EINTR) return false;
  }
  return false;
}

bool Connection::input_comes() const {
  return next_ < filled_ || wait(POLLIN, Clock::now() + kSlice);
}

ssize_t Connection::read(char* data, std::size_t size) {
  if (input_ended_ || size == 0) return 0;
  if (read_bytes_left_ == 0) return -1;
  while (next_ == filled_) {
    if (!wait(POLLIN, read_deadline_)) return -1;
    const ssize_t received = ::recv(fd_, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (received < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (received <= 0) return received;
    next_ = 0;
    filled_ = static_cast<std::size_t>(received);
  }
  const std::size_t taken = std::min({size, filled_ - next_, read_bytes_left_});
  std::memcpy(data, buffer_.data() + next_, taken);
  next_ += taken;
  read_bytes_left_ -= taken;
  return static_cast<ssize_t>(taken);
}

ssize_t Connection::write(const char* data, std::size_t size, Clock::time_point deadline) {
  for (std::size_t done = 0; done < size;) {
    if (!wait(POLLOUT, deadline)) return -1;
    const ssize_t sent = ::send(fd_, data + done, size - done, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (sent <= 0) return -1;
    done += static_cast<std::size_t>(sent);
  }
  return static_cast<ssize_t>(size);
}

}  // namespace dunlin::http
