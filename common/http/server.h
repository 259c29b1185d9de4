#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/http/message.h"
#include "common/http/router.h"
#include "common/http/tls.h"
#include "dunlin/result.h"

namespace dunlin::http {

struct ServerOptions {
  std::size_t threads = 4;  // 1 to 8; handlers run on them, several at once
  std::size_t body_bytes_max = 1 << 20;
  std::chrono::milliseconds head_timeout{5'000};   // first byte of a request to the end of its head
  std::chrono::milliseconds body_timeout{10'000};  // all of the body
  std::chrono::milliseconds write_timeout{10'000};  // all of the answer
  std::chrono::milliseconds idle_timeout{5'000};    // between requests, while no one else waits
  std::shared_ptr<TlsContext> tls = {};             // HTTPS; null: HTTP
  // Asked when a request's head is here, before its body is read: the answer to one that is
  // refused. Called as handlers are.
  std::function<std::optional<Response>(const Request&)> guard = {};
  // Told why a client got no connection over TLS: `untrusted`, `expired`, `malformed`, `timeout`.
  // Called as handlers are.
  std::function<void(const Error&)> on_no_handshake = {};
};

// A small HTTP/1.1 server: metrics, status and JSON. HTTP itself is cpp-httplib's; what it leaves
// open is settled here. Every connection has deadlines as a whole, idle ones make room for waiting
// ones, and 64 accepted ones may wait for a thread; further ones wait in the kernel. A handshake of
// TLS has the time of a head. Over TLS 8 of one address may wait, those of whose address least are
// served come first, and who shows no certificate sends 16 KiB and has 2 s each for head and body.
// Every error is a problem+json. No ranges, no multipart.
//
//   Server server;
//   server.route("GET", "/healthz", [](const Request&) { return Response{.body = "{}"}; });
//   DUNLIN_ASSIGN(const int port, server.start("127.0.0.1:0"));
class Server {
 public:
  explicit Server(ServerOptions options = {});
  ~Server();  // stops
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Before start(). Handlers are called from several threads at once and must return soon; they may
  // throw (500). HEAD is answered by the GET route. Patterns: see Router.
  void route(std::string method, std::string_view pattern, Handler handler);

  // Binds "127.0.0.1:7380", "[::1]:7380" or "name:7380"; port 0 takes any. Returns the port.
  // `invalid_argument`: not such an address; `io`: it cannot be bound. Call once.
  Result<int> start(const std::string& address);

  // Ends open connections without waiting for their clients and joins all threads; a handler that
  // is running finishes first. Idempotent. Not from a handler.
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dunlin::http
