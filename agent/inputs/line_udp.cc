#include "agent/inputs/line_udp.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>

#include "agent/inputs/files.h"
#include "agent/inputs/line_intake.h"
#include "agent/inputs/lines.h"
#include "agent/inputs/schedule.h"
#include "common/base/stop_event.h"

namespace dunlin::agent {

namespace {

// An IPv4 or IPv6 address with its port.
union Address {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;

  bool is_v6() const { return any.sa_family == AF_INET6; }
  socklen_t size() const { return is_v6() ? sizeof v6 : sizeof v4; }
  std::string text() const {
    char host[INET6_ADDRSTRLEN] = "?";
    if (is_v6()) {
      inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof host);
      return "[" + std::string(host) + "]:" + std::to_string(ntohs(v6.sin6_port));
    }
    inet_ntop(AF_INET, &v4.sin_addr, host, sizeof host);
    return std::string(host) + ":" + std::to_string(ntohs(v4.sin_port));
  }
};

std::optional<Address> parse_address(std::string_view url) {
  constexpr std::string_view kScheme = "udp://";
  const std::size_t colon = url.rfind(':');
  if (!url.starts_with(kScheme) || colon < kScheme.size()) return {};
  const std::string_view digits = url.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (failure != std::errc() || end != digits.data() + digits.size() || port == 0) return {};

  Address address{};
  std::string host(url.substr(kScheme.size(), colon - kScheme.size()));
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    address.v6.sin6_family = AF_INET6;
    address.v6.sin6_port = htons(port);
    if (inet_pton(AF_INET6, host.c_str(), &address.v6.sin6_addr) != 1) return {};
    return address;
  }
  if (host.empty()) host = "127.0.0.1";
  address.v4.sin_family = AF_INET;
  address.v4.sin_port = htons(port);
  if (inet_pton(AF_INET, host.c_str(), &address.v4.sin_addr) != 1) return {};
  return address;
}

class LineUdpInput final : public Input {
 public:
  struct Options {
    std::string url;
    Address listen;
    int buffer_bytes = 0;
    LineProtocolFormat format;
  };
  explicit LineUdpInput(Options options) : options_(std::move(options)) {}

  Result<void> run(InputSink& sink, std::stop_token stop) override {
    DUNLIN_ASSIGN(const FileDescriptor socket, open());
    LineIntake intake(options_.format, sink);
    drops_seen_ = 0;
    const StopEvent event(stop);
    Result<void> state;
    while (state.ok() && !stop.stop_requested()) {
      pollfd waits[] = {{socket.get(), POLLIN, 0}, {event.fd(), POLLIN, 0}};
      if (poll(waits, 2, event.timeout_ms()) < 0 && errno != EINTR) {
        return {Errc::io, options_.url + ": " + last_os_error()};
      }
      bool more = waits[0].revents != 0;
      while (more && state.ok() && !stop.stop_requested()) {
        const Result<bool> received = receive(socket.get(), intake, sink);
        more = received.ok() && received.value();
        if (!received.ok()) state = received.error();
      }
    }
    return unless_closed(state);
  }

 private:
  Result<FileDescriptor> open() const {
    FileDescriptor socket(
        ::socket(options_.listen.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int on = 1, bytes = options_.buffer_bytes;
    // The kernel cuts a buffer that is too large for it, and some kernels cannot count drops.
    if (socket.get() >= 0) {
      setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
      setsockopt(socket.get(), SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on);
    }
    if (bind(socket.get(), &options_.listen.any, options_.listen.size()) != 0) {
      return Error{Errc::io, options_.url + ": " + last_os_error()};
    }
    return socket;
  }

  // Takes one datagram; false when none waits.
  Result<bool> receive(int socket, LineIntake& intake, InputSink& sink) {
    Address sender{};
    iovec into{buffer_.data(), buffer_.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(std::uint32_t))];
    msghdr message{};
    message.msg_name = &sender;
    message.msg_namelen = sizeof sender;
    message.msg_iov = &into;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t size = recvmsg(socket, &message, 0);
    if (size < 0) {
      if (errno == EAGAIN || errno == EINTR) return false;
      return Error{Errc::io, options_.url + ": " + last_os_error()};
    }
    report_drops(message, sink);

    const std::string place = sender.text() + " datagram " + std::to_string(++datagrams_);
    Result<void> state;
    const LineSplitter::OnLine on_line = [&](std::uint64_t number, Result<std::string_view> line) {
      if (state.ok()) state = intake.take(place, number, std::move(line));
    };
    LineSplitter lines(kLineBytesMax);
    lines.feed(std::string_view(buffer_).substr(0, static_cast<std::size_t>(size)), on_line);
    lines.finish(on_line);
    DUNLIN_TRY(state);
    DUNLIN_TRY(intake.flush());
    return true;
  }

  // The kernel tells with a datagram how many it had dropped before, modulo 2^32.
  void report_drops(msghdr& message, InputSink& sink) {
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
      if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SO_RXQ_OVFL) continue;
      std::uint32_t drops = 0;
      std::memcpy(&drops, CMSG_DATA(header), sizeof drops);
      const std::uint32_t fresh = drops - drops_seen_;
      drops_seen_ = drops;
      if (fresh == 0) continue;
      sink.report(options_.url,
                  {Errc::backpressure, "the kernel dropped " + std::to_string(fresh) +
                                           " datagrams: its receive buffer was full"},
                  fresh);
    }
  }

  Options options_;
  std::uint64_t datagrams_ = 0;
  std::uint32_t drops_seen_ = 0;
  std::string buffer_ = std::string(kLineBytesMax, '\0');  // no datagram is longer
};

}  // namespace

Result<std::unique_ptr<Input>> make_line_udp_input(config::Table& table) {
  LineUdpInput::Options options;
  options.url = table.required_text("listen");
  const std::optional<Address> listen = parse_address(options.url);
  if (!listen && !options.url.empty()) {
    table.mistake("listen", "should be an address and port such as \"udp://127.0.0.1:8094\"");
  }
  constexpr std::uint64_t kBufferMin = 4 << 10, kBufferMax = 64 << 20;
  const std::uint64_t bytes = table.size("buffer_bytes", 1 << 20);
  if (bytes < kBufferMin || bytes > kBufferMax) {
    table.mistake("buffer_bytes", "should be within 4KiB to 64MiB");
  }
  options.format = line_protocol_format(table);
  if (!listen) return Error{Errc::config, table.where("listen") + ": no address"};
  options.listen = *listen;
  options.buffer_bytes = static_cast<int>(std::clamp(bytes, kBufferMin, kBufferMax));
  return std::unique_ptr<Input>(std::make_unique<LineUdpInput>(std::move(options)));
}

}  // namespace dunlin::agent
