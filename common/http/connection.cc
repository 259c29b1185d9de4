#include "common/http/connection.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace dunlin::http {

namespace {

constexpr std::size_t kRecordBytes = 16 << 10;  // of TLS

}  // namespace

Connection::Connection(int fd, const std::atomic<bool>& stopping)
    : fd_(fd), stopping_(stopping), read_deadline_(Clock::now()) {
  const int yes = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

Connection::~Connection() {
  // Closing with unread input resets the connection, and the reset may overtake the answer. So say
  // that we are done, then take in a little of what is still under way.
  if (tls_ != nullptr) SSL_shutdown(tls_.get());  // says so; the answer is not waited for
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
  const bool buffered = next_ < filled_ || (tls_ != nullptr && SSL_pending(tls_.get()) > 0);
  return buffered || wait(POLLIN, Clock::now() + kSlice);
}

Result<void> Connection::start_tls(TlsContext& context, Clock::time_point deadline) {
  const int flags = ::fcntl(fd_, F_GETFL);
  if (flags < 0 || ::fcntl(fd_, F_SETFL, flags | O_NONBLOCK) != 0) return {Errc::io, "a socket"};
  TlsSession session = context.session(fd_);
  if (session == nullptr) return {Errc::io, "no memory for TLS"};
  tls_ = std::move(session);
  while (true) {
    ERR_clear_error();
    const int code = SSL_accept(tls_.get());
    if (code == 1) return {};
    if (!wait_for_tls(code, deadline)) break;
  }
  Error fault = tls_fault(deadline);
  tls_.reset();  // nothing can be said
  return fault;
}

Error Connection::tls_fault(Clock::time_point deadline) const {
  if (stopping_) return {Errc::closed, "the server stops"};
  const long shown = SSL_get_verify_result(tls_.get());
  if (shown == X509_V_ERR_CERT_HAS_EXPIRED || shown == X509_V_ERR_CERT_NOT_YET_VALID)
    return {Errc::expired, X509_verify_cert_error_string(shown)};
  if (shown != X509_V_OK) return {Errc::untrusted, X509_verify_cert_error_string(shown)};
  if (Clock::now() >= deadline) return {Errc::timeout, "a handshake of TLS that takes too long"};
  return {Errc::malformed, "no handshake of TLS, or the client refused ours"};
}

bool Connection::wait_for_tls(int code, Clock::time_point deadline) const {
  switch (SSL_get_error(tls_.get(), code)) {
    case SSL_ERROR_WANT_READ:
      return wait(POLLIN, deadline);
    case SSL_ERROR_WANT_WRITE:
      return wait(POLLOUT, deadline);
    default:
      return false;
  }
}

ssize_t Connection::receive(Clock::time_point deadline) {
  while (tls_ == nullptr) {
    if (!wait(POLLIN, deadline)) return -1;
    const ssize_t received = ::recv(fd_, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (received >= 0 || (errno != EINTR && errno != EAGAIN)) return received;
  }
  while (true) {
    ERR_clear_error();
    const int received = SSL_read(tls_.get(), buffer_.data(), static_cast<int>(buffer_.size()));
    if (received > 0) return received;
    if (SSL_get_error(tls_.get(), received) == SSL_ERROR_ZERO_RETURN) return 0;
    if (!wait_for_tls(received, deadline)) return -1;
  }
}

ssize_t Connection::send_some(const char* data, std::size_t size, Clock::time_point deadline) {
  while (tls_ == nullptr) {
    if (!wait(POLLOUT, deadline)) return -1;
    const ssize_t sent = ::send(fd_, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0 || (errno != EINTR && errno != EAGAIN)) return sent;
  }
  while (true) {
    ERR_clear_error();
    const int sent = SSL_write(tls_.get(), data, static_cast<int>(std::min(size, kRecordBytes)));
    if (sent > 0) return sent;
    if (!wait_for_tls(sent, deadline)) return -1;
  }
}

ssize_t Connection::read(char* data, std::size_t size) {
  if (input_ended_ || size == 0) return 0;
  if (read_bytes_left_ == 0) return -1;
  if (next_ == filled_) {
    const ssize_t received = receive(read_deadline_);
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
    const ssize_t sent = send_some(data + done, size - done, deadline);
    if (sent <= 0) return -1;
    done += static_cast<std::size_t>(sent);
  }
  return static_cast<ssize_t>(size);
}

}  // namespace dunlin::http
