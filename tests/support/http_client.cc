#include "tests/support/http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

namespace dunlin::test {

namespace {

struct Socket {
  int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ~Socket() { ::close(fd); }
};

// HTTP/1.0, so that the answer simply ends with the connection.
Result<HttpReply> request_reply(std::uint16_t port, const std::string& request) {
  const Socket socket;
  const timeval limit{10, 0};
  ::setsockopt(socket.fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket.fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::send(socket.fd, request.data(), request.size(), MSG_NOSIGNAL) !=
          static_cast<ssize_t>(request.size())) {
    return {Errc::io, std::string("no HTTP server: ") + std::strerror(errno)};
  }
  std::string answer;
  char buffer[16384];
  ssize_t n = 0;
  while ((n = ::recv(socket.fd, buffer, sizeof buffer, 0)) > 0)
    answer.append(buffer, static_cast<std::size_t>(n));
  const std::size_t head_end = answer.find("\r\n\r\n");
  if (n < 0 || head_end == std::string::npos || answer.size() < 12)
    return {Errc::io, "no HTTP answer"};
  HttpReply reply{std::atoi(answer.c_str() + 9), answer.substr(head_end + 4), {}};
  const std::string head = answer.substr(0, head_end);
  if (const std::size_t at = head.find("Content-Type: "); at != std::string::npos) {
    reply.content_type = head.substr(at + 14, head.find('\r', at) - at - 14);
  }
  return reply;
}

}  // namespace

Result<HttpReply> http_get(std::uint16_t port, const std::string& path) {
  return request_reply(port, "GET " + path + " HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n");
}

Result<HttpReply> http_post(std::uint16_t port, const std::string& path, const std::string& body) {
  return request_reply(
      port, "POST " + path + " HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n" +
                "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
}

}  // namespace dunlin::test
