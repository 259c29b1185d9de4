#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace dunlin {

// Paho hands out no socket, sets neither TCP_NODELAY nor the buffer size, sleeps up to a second
// when the socket's buffer is full, and says DISCONNECT whenever it closes one. To send at once, to
// stay below a full buffer and to leave without a farewell, we look the socket up in our own
// process.

// A connected TCP socket of this process, told from later users of its descriptor by its ports.
struct TcpSocket {
  int fd = -1;
  std::uint16_t local_port = 0;
  std::uint16_t peer_port = 0;
  bool operator==(const TcpSocket&) const = default;
};

// Every connected TCP socket of this process to that port; empty where /proc is not mounted.
std::vector<TcpSocket> tcp_sockets_to(std::uint16_t peer_port);

// Switches Nagle's algorithm off and asks for buffers of that size; the system's limits
// (net.core.wmem_max, rmem_max) apply; 0 leaves a buffer as it is. What waits in a receive buffer
// is read in its order: when somebody floods the broker, what is live stands behind as much as it
// holds.
void tune(const TcpSocket& socket, std::size_t send_buffer_bytes, std::size_t receive_buffer_bytes);

// The bytes in the send buffer and its size, both with the kernel's overhead; nothing when unknown.
struct SendBuffer {
  std::size_t used = 0;
  std::size_t size = 0;
};
std::optional<SendBuffer> send_buffer(const TcpSocket& socket);

// The bytes in the send buffer that were not sent even once; 0 when unknown.
std::size_t unsent(const TcpSocket& socket);

// Ends the connection in both directions and leaves the descriptor to its owner. Does nothing when
// the descriptor meanwhile belongs to another socket.
void cut(const TcpSocket& socket);

}  // namespace dunlin
