#include "common/transport/mqtt/tcp_sockets.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <memory>

namespace dunlin {
namespace {

using NameOf = int (*)(int, sockaddr*, socklen_t*);

// The port on one side of a socket, 0 when there is none.
std::uint16_t port_of(int fd, NameOf name_of) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (name_of(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  if (address.ss_family == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
  }
  if (address.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
  }
  return 0;
}

TcpSocket describe(int fd) {
  return {fd, port_of(fd, getsockname), port_of(fd, getpeername)};
}

}  // namespace

std::vector<TcpSocket> tcp_sockets_to(std::uint16_t peer_port) {
  std::vector<TcpSocket> sockets;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir("/proc/self/fd"), closedir);
  if (!folder) return sockets;
  while (const dirent* entry =
             readdir(folder.get())) {  // "." and ".." read as 0: no socket of ours
    const TcpSocket socket = describe(std::atoi(entry->d_name));
    if (socket.peer_port == peer_port) sockets.push_back(socket);
  }
  return sockets;
}

void tune(const TcpSocket& socket, std::size_t send_buffer_bytes,
          std::size_t receive_buffer_bytes) {
  const int on = 1;
  setsockopt(socket.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  const auto resize = [&](int buffer, std::size_t size) {
    const int bytes = static_cast<int>(std::min<std::size_t>(size, INT_MAX));
    if (bytes > 0) setsockopt(socket.fd, SOL_SOCKET, buffer, &bytes, sizeof(bytes));
  };
  resize(SO_SNDBUF, send_buffer_bytes);
  resize(SO_RCVBUF, receive_buffer_bytes);
}

std::optional<SendBuffer> send_buffer(const TcpSocket& socket) {
  std::uint32_t memory[SK_MEMINFO_VARS] = {};
  socklen_t size = sizeof(memory);
  if (getsockopt(socket.fd, SOL_SOCKET, SO_MEMINFO, memory, &size) != 0) return std::nullopt;
  // QEMU's user emulation gives one number, and no error.
  if (size <= SK_MEMINFO_WMEM_QUEUED * sizeof(memory[0])) return std::nullopt;
  return SendBuffer{memory[SK_MEMINFO_WMEM_QUEUED], memory[SK_MEMINFO_SNDBUF]};
}

std::size_t unsent(const TcpSocket& socket) {
  int bytes = 0;
  if (ioctl(socket.fd, SIOCOUTQNSD, &bytes) != 0) return 0;
  return static_cast<std::size_t>(std::max(bytes, 0));
}

void cut(const TcpSocket& socket) {
  if (describe(socket.fd) == socket) shutdown(socket.fd, SHUT_RDWR);
}

}  // namespace dunlin
