#include "common/http/server.h"

#include <httplib.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "common/base/check.h"
#include "common/http/connection.h"
#include "common/http/waiting.h"
#include "common/telemetry/log.h"

namespace dunlin::http {

namespace {

constexpr std::size_t kWaitingMax = 64;
constexpr std::size_t kWaitingOfOneMax = 8;  // of an address, where clients have addresses: TLS
constexpr std::size_t kHeadBytesMax = 64 << 10;
constexpr std::size_t kPathBytesMax =
    2048;  // below what std::regex inside httplib can recurse into
constexpr int kRequestsPerConnectionMax = 100;
constexpr std::chrono::milliseconds kFirstByteGrace{
    1'000};  // for a new connection while others wait
// Over TLS, of who shows no certificate.
constexpr std::size_t kStrangersBodyBytesMax = 16 << 10;
constexpr std::chrono::milliseconds kStrangersPatience{2'000};  // for a head, and for a body

struct Address {
  std::string host;
  int port = 0;
};

Result<Address> parse_address(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return {Errc::invalid_argument, "no port in " + text};
  Address address{text.substr(0, colon), 0};
  const bool bracketed = address.host.starts_with('[') && address.host.ends_with(']');
  if (bracketed) address.host = address.host.substr(1, address.host.size() - 2);
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data() + colon + 1, end, address.port);
  const bool host_ok =
      !address.host.empty() && (bracketed || address.host.find(':') == std::string::npos);
  if (!host_ok || error != std::errc() || rest != end || address.port < 0 || address.port > 65535) {
    return {Errc::invalid_argument, "not host:port: " + text};
  }
  return address;
}

// httplib hands connections over on the thread that accepts; ours wait for one of these threads.
class Threads : public httplib::TaskQueue {
 public:
  Threads(std::size_t threads, Waiting& waiting,
          const std::function<void(const Waiting::Caller&)>& serve)
      : waiting_(waiting) {
    waiting_.open();
    for (std::size_t n = 0; n < threads; ++n) {
      threads_.emplace_back([this, &serve] {
        while (const auto caller = waiting_.pop()) {
          serve(*caller);
          waiting_.done(*caller);
        }
      });
    }
  }
  void enqueue(std::function<void()> hand_over) override { hand_over(); }
  void shutdown() override {
    waiting_.close();
    for (std::thread& each : threads_) each.join();
  }

 private:
  Waiting& waiting_;
  std::vector<std::thread> threads_;
};

// What httplib reads one request and writes its answer through.
class ConnectionStream : public httplib::Stream {
 public:
  ConnectionStream(Connection& connection, std::chrono::milliseconds write_timeout)
      : connection_(connection), write_timeout_(write_timeout) {}

  bool is_readable() const override { return true; }
  bool is_writable() const override { return true; }
  ssize_t read(char* data, std::size_t size) override { return connection_.read(data, size); }
  ssize_t write(const char* data, std::size_t size) override {
    if (!write_deadline_) write_deadline_ = Connection::Clock::now() + write_timeout_;
    return connection_.write(data, size, *write_deadline_);
  }
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  // httplib only compares it with FD_SETSIZE, for a select() that is not ours.
  socket_t socket() const override { return 0; }

 private:
  Connection& connection_;
  const std::chrono::milliseconds write_timeout_;
  std::optional<Connection::Clock::time_point> write_deadline_;
};

Response plain_problem(int status, std::string_view detail) {
  const std::string_view phrase = reason_phrase(status);
  std::string code(phrase);
  std::transform(code.begin(), code.end(), code.begin(), [](unsigned char c) {
    return c == ' ' ? '_' : static_cast<char>(std::tolower(c));
  });
  return problem(status, code, phrase, detail);
}

bool has_body(const httplib::Request& request) {
  return request.has_header("Transfer-Encoding") ||
         (request.has_header("Content-Length") &&
          request.get_header_value("Content-Length") != "0");
}

bool takes_body(const httplib::Request& request) {
  return request.method == "POST" || request.method == "PUT" || request.method == "PATCH" ||
         request.method == "DELETE";
}

// What is wrong with a request whose head has arrived; its body is not read then. Two lengths, or a
// length beside a transfer encoding, is how one request is smuggled inside another.
std::optional<Response> refusal(const httplib::Request& request, std::size_t body_bytes_max) {
  const std::string length = request.get_header_value("Content-Length");
  const bool encoded = request.has_header("Transfer-Encoding");
  std::uint64_t bytes = 0;
  const auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), bytes);
  const bool number = error != std::errc::invalid_argument && end == length.data() + length.size();
  if (request.path.size() > kPathBytesMax) return plain_problem(414, "the path is too long");
  if (request.get_header_value_count("Content-Length") > 1 || (encoded && !length.empty()) ||
      (!length.empty() && !number)) {
    return plain_problem(400, "the length of the body is not clear");
  }
  if (encoded && request.get_header_value("Transfer-Encoding") != "chunked") {
    return plain_problem(501, "no transfer encoding but chunked is known");
  }
  if (error == std::errc::result_out_of_range || bytes > body_bytes_max) {
    return plain_problem(413, "at most " + std::to_string(body_bytes_max) + " bytes are taken");
  }
  if (request.is_multipart_form_data()) return plain_problem(415, "multipart bodies are not taken");
  return std::nullopt;
}

void answer(Response&& from, httplib::Response& to) {
  to.status = from.status;
  for (const auto& [name, value] : from.headers) to.set_header(name, value);
  to.body = std::move(from.body);
  if (!to.body.empty() || from.status != 204) to.set_header("Content-Type", from.content_type);
}

Request translate(const httplib::Request& from, std::string body) {
  Request to;
  to.method = from.method == "HEAD" ? "GET" : from.method;
  to.path = from.path;
  to.query.insert(from.params.begin(), from.params.end());
  for (const auto& [name, value] : from.headers) {
    std::string lower(name);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    to.headers.emplace(std::move(lower), value);
  }
  to.body = std::move(body);
  to.client_address = from.remote_addr;
  if (from.ssl != nullptr) to.client_certificate = client_certificate(*from.ssl);
  return to;
}

}  // namespace

struct Server::Impl : httplib::Server {
  explicit Impl(ServerOptions wanted) : options(std::move(wanted)) {
    options.threads = std::clamp<std::size_t>(options.threads, 1, 8);
    new_task_queue = [this] { return new Threads(options.threads, waiting, serve_one); };
    // Without SO_REUSEPORT, httplib's default, which lets two servers share a port unknowingly.
    set_socket_options([](int fd) {
      const int yes = 1;
      ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    set_payload_max_length(options.body_bytes_max);
    // Told to clients; kept by process_and_close_socket().
    set_keep_alive_max_count(kRequestsPerConnectionMax);
    set_keep_alive_timeout(
        static_cast<time_t>(std::chrono::ceil<std::chrono::seconds>(options.idle_timeout).count()));
    set_default_headers({{"X-Content-Type-Options", "nosniff"}});
    set_expect_100_continue_handler(
        [](const auto&, auto& response) { return refuse(response) ? response.status : 100; });
    set_pre_routing_handler([](const auto&, auto& response) {
      return refuse(response) ? HandlerResponse::Handled : HandlerResponse::Unhandled;
    });
    set_error_handler([](const auto&, auto& response) {
      if (response.body.empty()) answer(plain_problem(response.status, ""), response);
    });
    const Handler plain = [this](const auto& request, auto& response) {
      dispatch(request, response, {});
    };
    const HandlerWithContentReader reading = [this](const auto& request, auto& response,
                                                    const auto& reader) {
      read_and_dispatch(request, response, reader);
    };
    Get(".*", plain).Options(".*", plain);
    Post(".*", reading).Put(".*", reading).Patch(".*", reading).Delete(".*", reading);
  }

  static bool refuse(httplib::Response& response) {
    if (refused) answer(*std::exchange(refused, std::nullopt), response);
    return response.status >= 400;
  }

  void dispatch(const httplib::Request& request, httplib::Response& response, std::string body) {
    Request translated = translate(request, std::move(body));
    answer(router.dispatch(translated), response);
  }

  // Bounds what comes out of chunks and compression too.
  void read_and_dispatch(const httplib::Request& request, httplib::Response& response,
                         const httplib::ContentReader& reader) {
    const std::size_t bytes_max = body_bytes_max(request.ssl);
    std::string body;
    bool too_large = false;
    const bool complete = reader([&](const char* data, std::size_t size) {
      too_large = body.size() + size > bytes_max;
      if (!too_large) body.append(data, size);
      return !too_large;
    });
    if (complete) return dispatch(request, response, std::move(body));
    const int status = too_large ? 413 : response.status >= 400 ? response.status : 400;
    answer(plain_problem(status, "the body was not taken"), response);
  }

  // Waits for the first byte of a request; idle connections leave when others wait for the thread.
  bool request_comes(const Connection& connection, bool first) const {
    const auto since = Connection::Clock::now();
    for (;;) {
      if (connection.input_comes()) return true;
      std::chrono::milliseconds patience = options.idle_timeout;
      if (!waiting.empty())
        patience = first ? std::min(patience, kFirstByteGrace) : patience.zero();
      if (stopping || Connection::Clock::now() - since >= patience) return false;
    }
  }

  // What httplib calls when it has parsed a head, before it does anything about it.
  void prepare(httplib::Request& request, Connection& connection) const {
    // httplib would read to the end of the connection where no length is given.
    if (!request.has_header("Transfer-Encoding") && !request.has_header("Content-Length")) {
      request.set_header("Content-Length", "0");
    }
    request.ranges.clear();
    request.ssl = connection.tls();
    const std::size_t bytes_max = body_bytes_max(request.ssl);
    refused = refusal(request, bytes_max);
    if (!refused && options.guard) refused = options.guard(translate(request, {}));
    if (refused || (has_body(request) && !takes_body(request))) connection.end_input();
    // Chunks of one byte take six, so this lets every body within its bound through.
    connection.bound_input(
        Connection::Clock::now() + patience_with(connection.tls(), options.body_timeout),
        8 * bytes_max + kHeadBytesMax);
  }

  static bool is_stranger(const SSL* tls) {
    return tls != nullptr && client_certificate(*tls).empty();
  }
  std::size_t body_bytes_max(const SSL* tls) const {
    return is_stranger(tls) ? std::min(options.body_bytes_max, kStrangersBodyBytesMax)
                            : options.body_bytes_max;
  }
  static std::chrono::milliseconds patience_with(const SSL* tls, std::chrono::milliseconds known) {
    return is_stranger(tls) ? std::min(known, kStrangersPatience) : known;
  }

  // A connection that was accepted, on the thread that did.
  bool process_and_close_socket(socket_t fd) override {
    if (!waiting.push({fd, address_of_peer(fd)})) ::close(fd);
    return true;
  }

  // One connection, on a worker thread.
  void serve(const Waiting::Caller& caller) {
    Connection connection(caller.fd, stopping);
    if (options.tls != nullptr) {
      const auto patience =
          waiting.empty() ? options.head_timeout : std::min(options.head_timeout, kFirstByteGrace);
      const Result<void> begun =
          connection.start_tls(*options.tls, Connection::Clock::now() + patience);
      if (!begun.ok() && options.on_no_handshake) options.on_no_handshake(begun.error());
      if (!begun.ok()) return;
    }
    for (int left = kRequestsPerConnectionMax; left > 0; --left) {
      if (!request_comes(connection, left == kRequestsPerConnectionMax)) break;
      connection.bound_input(
          Connection::Clock::now() + patience_with(connection.tls(), options.head_timeout),
          kHeadBytesMax);
      ConnectionStream stream(connection, options.write_timeout);
      const bool last = left == 1 || !waiting.empty();
      bool understood = false;
      bool close = false;
      const bool answered = process_request(stream, last, close, [&](httplib::Request& request) {
        understood = true;
        request.remote_addr = caller.address;
        prepare(request, connection);
      });
      if (!understood) connection.end_input();
      if (!answered || close || last || connection.input_ended()) break;
    }
  }

  // Accepts until stop(). httplib gives up on errors that pass, such as a connection reset before
  // it was accepted; then we bind again.
  void listen_until_stopped() {
    while (!listen_after_bind() && !stopping) {
      log::error("http_listen_failed", {{"host", address.host}, {"port", address.port}});
      do {
        std::unique_lock lock(mutex);
        wake.wait_for(lock, std::chrono::seconds(1), [&] { return stopping.load(); });
      } while (!stopping && !bind_to_port(address.host, address.port));
      if (stopping) break;
    }
    const std::lock_guard lock(mutex);
    finished = true;
    wake.notify_all();
  }

  // httplib ignores stop() until it listens, and must not be told twice.
  void stop_listening() {
    std::unique_lock lock(mutex);
    stopping = true;
    wake.notify_all();
    while (!finished) {
      if (is_running() && svr_sock_ != INVALID_SOCKET) httplib::Server::stop();
      wake.wait_for(lock, std::chrono::milliseconds(10));
    }
  }

  ServerOptions options;
  Router router;
  Address address;
  std::thread listener;
  std::atomic<bool> stopping{false};
  const std::function<void(const Waiting::Caller&)> serve_one =
      [this](const Waiting::Caller& caller) { serve(caller); };
  Waiting waiting{kWaitingMax, options.tls != nullptr ? kWaitingOfOneMax : kWaitingMax};
  // Why the request at hand is; httplib's handlers see it and nothing around it.
  static thread_local std::optional<Response> refused;
  std::mutex mutex;
  std::condition_variable wake;
  bool finished = false;
};

thread_local std::optional<Response> Server::Impl::refused;

Server::Server(ServerOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}

Server::~Server() {
  stop();
}

void Server::route(std::string method, std::string_view pattern, Handler handler) {
  impl_->router.add(std::move(method), pattern, std::move(handler));
}

Result<int> Server::start(const std::string& address) {
  DUNLIN_CHECK(!impl_->listener.joinable());
  DUNLIN_ASSIGN(Address parsed, parse_address(address));
  if (parsed.port == 0) {
    parsed.port = impl_->bind_to_any_port(parsed.host);
    if (parsed.port <= 0) return {Errc::io, "cannot listen on " + address};
  } else if (!impl_->bind_to_port(parsed.host, parsed.port)) {
    return {Errc::io, "cannot listen on " + address};
  }
  impl_->address = parsed;
  impl_->listener = std::thread([impl = impl_.get()] { impl->listen_until_stopped(); });
  return parsed.port;
}

void Server::stop() {
  if (!impl_->listener.joinable()) return;
  impl_->stop_listening();
  impl_->listener.join();
}

}  // namespace dunlin::http
