#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "common/base/check.h"

namespace dunlin::test {

// A UDP port of the loopback that was free a moment ago, and a client of it.
class UdpPort {
 public:
  UdpPort() : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address_;
    const int probe = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    DUNLIN_CHECK(::bind(probe, any(), size) == 0);
    DUNLIN_CHECK(::getsockname(probe, reinterpret_cast<sockaddr*>(&address_), &size) == 0);
    ::close(probe);
    DUNLIN_CHECK(::connect(fd_, any(), size) == 0);
  }
  ~UdpPort() { ::close(fd_); }
  UdpPort(const UdpPort&) = delete;
  UdpPort& operator=(const UdpPort&) = delete;

  const sockaddr* any() const { return reinterpret_cast<const sockaddr*>(&address_); }
  std::string url() const { return "udp://:" + std::to_string(ntohs(address_.sin_port)); }

  bool send(std::string_view datagram) const {
    return ::send(fd_, datagram.data(), datagram.size(), 0) ==
           static_cast<ssize_t>(datagram.size());
  }
  // Sends nothing, twice: the kernel says with the second what became of the first.
  bool listened_at() const { return send("") && send(""); }

 private:
  sockaddr_in address_{};
  int fd_;
};

}  // namespace dunlin::test
