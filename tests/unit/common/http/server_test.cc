#include "common/http/server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <future>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace dunlin::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A client that sends exactly what it is told to.
class Client {
 public:
  explicit Client(int port, int family = AF_INET) {
    fd_ = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(static_cast<std::uint16_t>(port));
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(static_cast<std::uint16_t>(port));
    v6.sin6_addr = in6addr_loopback;
    const bool four = family == AF_INET;
    connected_ =
        ::connect(fd_, four ? reinterpret_cast<sockaddr*>(&v4) : reinterpret_cast<sockaddr*>(&v6),
                  four ? sizeof v4 : sizeof v6) == 0;
  }
  ~Client() { ::close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool connected() const { return connected_; }
  // False when the server closed before it had taken everything.
  bool send(const std::string& text) const {
    for (std::size_t done = 0; done < text.size();) {
      const ssize_t n = ::send(fd_, text.data() + done, text.size() - done, MSG_NOSIGNAL);
      if (n <= 0) return false;
      done += static_cast<std::size_t>(n);
    }
    return true;
  }
  // All up to the end of the connection; "(timeout)" at the end when that does not come.
  std::string rest() const {
    std::string text;
    while (append_some(text)) {
    }
    return text;
  }
  // One answer with Content-Length, leaving the connection open.
  std::string answer() const {
    std::string text;
    while (!is_complete(text) && append_some(text)) {
    }
    return text;
  }
  bool is_closed() const { return rest().find("(timeout)") == std::string::npos; }
  int fd() const { return fd_; }

 private:
  static bool is_complete(const std::string& text) {
    const std::size_t head = text.find("\r\n\r\n");
    const std::size_t length = text.find("Content-Length: ");
    if (head == std::string::npos || length == std::string::npos) return false;
    return text.size() >= head + 4 + std::stoul(text.substr(length + 16));
  }
  bool append_some(std::string& text) const {
    pollfd entry{fd_, POLLIN, 0};
    std::array<char, 4096> part;
    if (::poll(&entry, 1, 20'000) != 1) return text += "(timeout)", false;
    const ssize_t n = ::recv(fd_, part.data(), part.size(), 0);
    if (n > 0) text.append(part.data(), static_cast<std::size_t>(n));
    return n > 0;
  }

  int fd_ = -1;
  bool connected_ = false;
};

// Sends a byte now and then from every client that the server did not leave yet.
class Trickle {
 public:
  explicit Trickle(const std::vector<std::unique_ptr<Client>>& clients) {
    for (const auto& client : clients) open_.push_back({client->fd(), POLLIN, 0});
    feeder_ = std::thread([this] {
      while (!open_.empty() && !done_) {
        for (const pollfd& each : open_) (void)::send(each.fd, "y", 1, MSG_NOSIGNAL);
        ::poll(open_.data(), open_.size(), 5);  // their pace, not a wait for anything
        std::erase_if(open_, [](const pollfd& each) { return each.revents != 0; });
      }
    });
  }
  ~Trickle() {
    done_ = true;
    feeder_.join();
  }

 private:
  std::vector<pollfd> open_;
  std::atomic<bool> done_{false};
  std::thread feeder_;
};

int status_of(const std::string& answer) {
  return answer.starts_with("HTTP/1.1 ") ? std::stoi(answer.substr(9)) : -1;
}

nlohmann::json body_of(const std::string& answer) {
  return nlohmann::json::parse(answer.substr(answer.find("\r\n\r\n") + 4), nullptr, false);
}

class HttpServer : public testing::Test {
 protected:
  void start(ServerOptions options = {}) {
    server_ = std::make_unique<Server>(options);
    server_->route("GET", "/hello/{name}", [](const Request& request) {
      return Response{.content_type = "text/plain",
                      .body = request.path_parameters.at("name") + "," +
                              request.parameter("q").value_or("none") + "," +
                              request.header("x-test"),
                      .headers = {{"X-Made-By", "test"}}};
    });
    server_->route("POST", "/echo", [](const Request& request) {
      return Response{.content_type = "text/plain", .body = request.body};
    });
    server_->route("GET", "/large", [](const Request&) {
      return Response{.body = std::string(32 << 20, 'x')};  // more than sockets hold
    });
    server_->route("DELETE", "/echo", [](const Request&) { return Response{.status = 204}; });
    server_->route("GET", "/throws",
                   [](const Request&) -> Response { throw std::runtime_error("secret"); });
    const auto port = server_->start("127.0.0.1:0");
    ASSERT_TRUE(port.ok()) << port.error().message();
    port_ = *port;
  }
  std::string get(const std::string& path, const std::string& headers = "") const {
    return ask("GET " + path + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" + headers + "\r\n");
  }
  std::string ask(const std::string& request) const {
    const Client client(port_);
    client.send(request);
    return client.rest();
  }
  static std::string post(const std::string& headers, const std::string& body) {
    return "POST /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" + headers + "\r\n" + body;
  }

  // Clients that sent so much, and then nothing.
  std::vector<std::unique_ptr<Client>> clients(std::size_t count, const std::string& start) const {
    std::vector<std::unique_ptr<Client>> made;
    for (std::size_t i = 0; i < count; ++i) {
      made.push_back(std::make_unique<Client>(port_));
      EXPECT_TRUE(made.back()->send(start));
    }
    return made;
  }

  std::unique_ptr<Server> server_;
  int port_ = 0;
};

TEST_F(HttpServer, RoutesWithParametersQueryAndHeaders) {
  start();
  const std::string answer = get("/hello/a%20b?q=1%2B1&r=2", "X-Test: yes\r\n");
  EXPECT_EQ(status_of(answer), 200);
  EXPECT_NE(answer.find("Content-Type: text/plain"), std::string::npos);
  EXPECT_NE(answer.find("X-Made-By: test"), std::string::npos);
  EXPECT_TRUE(answer.ends_with("\r\n\r\na b,1+1,yes")) << answer;
}

TEST_F(HttpServer, AnswersHeadWithoutABody) {
  start();
  const std::string answer = ask("HEAD /hello/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(status_of(answer), 200);
  EXPECT_TRUE(answer.ends_with("\r\n\r\n")) << answer;
}

TEST_F(HttpServer, TakesBodiesPlainChunkedAndEmpty) {
  start();
  EXPECT_TRUE(ask(post("Content-Length: 5\r\n", "abcde")).ends_with("\r\n\r\nabcde"));
  EXPECT_TRUE(ask(post("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"))
                  .ends_with("\r\n\r\nabcde"));
  EXPECT_EQ(status_of(ask(post("", ""))), 200) << "no length means no body";
  EXPECT_EQ(status_of(ask("DELETE /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")), 204);
  EXPECT_NE(ask(post("Expect: 100-continue\r\nContent-Length: 2\r\n", "ok")).find("100 Continue"),
            std::string::npos);
}

TEST_F(HttpServer, EveryErrorIsAProblem) {
  start({.body_bytes_max = 1000});
  const auto expect_problem = [](const std::string& answer, int status, const std::string& code) {
    EXPECT_EQ(status_of(answer), status) << answer;
    EXPECT_NE(answer.find("Content-Type: application/problem+json"), std::string::npos) << answer;
    const auto body = body_of(answer);
    ASSERT_TRUE(body.is_object()) << answer;
    EXPECT_EQ(body.value("code", ""), code);
    EXPECT_EQ(body.value("status", 0), status);
  };
  expect_problem(get("/nowhere"), 404, "not_found");
  const std::string wrong_method =
      ask("PATCH /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  expect_problem(wrong_method, 405, "method_not_allowed");
  EXPECT_NE(wrong_method.find("Allow: DELETE, POST"), std::string::npos);
  expect_problem(ask("OPTIONS /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), 405,
                 "method_not_allowed");
  expect_problem(get("/throws"), 500, "internal");
  expect_problem(get(std::string(3'000, '/')), 414, "uri_too_long");
  expect_problem(ask("\x16\x03\x01 what is this\r\n\r\n"), 400, "bad_request");
  expect_problem(ask("BREW /pot HTTP/1.1\r\nHost: h\r\n\r\n"), 400, "bad_request");
  const std::string large(1'001, 'x');
  expect_problem(ask(post("Content-Length: 1001\r\n", large)), 413, "content_too_large");
  expect_problem(ask(post("Content-Length: 99999999999999999999999\r\n", "")), 413,
                 "content_too_large");
  expect_problem(ask(post("Expect: 100-continue\r\nContent-Length: 5000\r\n", "")), 413,
                 "content_too_large");
  expect_problem(ask(post("Transfer-Encoding: chunked\r\n", "3e9\r\n" + large + "\r\n0\r\n\r\n")),
                 413, "content_too_large");
  expect_problem(ask(post("Content-Length: 1\r\nContent-Length: 2\r\n", "ab")), 400, "bad_request");
  expect_problem(ask(post("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")), 400,
                 "bad_request");
  expect_problem(ask(post("Content-Length: x\r\n", "")), 400, "bad_request");
  expect_problem(ask(post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n")), 501,
                 "not_implemented");
  expect_problem(
      ask(post("Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 5\r\n", "--x--")),
      415, "unsupported_media_type");
  EXPECT_EQ(status_of(get("/hello/x")), 200) << "and goes on";
}

TEST_F(HttpServer, AHugeUploadIsRefusedAtItsHead) {
  start();
  const Client client(port_);
  ASSERT_TRUE(client.send(post("Content-Length: 1000000000000\r\n", std::string(200'000, 'x'))));
  EXPECT_EQ(status_of(client.rest()), 413);
}

TEST_F(HttpServer, AnEndlessHeadIsCutOff) {
  start({.head_timeout = seconds(3'600)});
  const Client client(port_);
  client.send("GET /hello/x HTTP/1.1\r\n");
  const std::string header = "X-Filler: " + std::string(1'000, 'x') + "\r\n";
  for (int i = 0; i < 100 && client.send(header); ++i) {
  }
  EXPECT_EQ(status_of(client.rest()), 400);
  EXPECT_EQ(status_of(get("/hello/x", "X-Long: " + std::string(60'000, 'x') + "\r\n")), 400);
  EXPECT_EQ(status_of(get("/hello/x", std::string(60'000, 'x') + "\r\n")), 400);
}

TEST_F(HttpServer, KeepsConnectionsAliveAndTakesPipelinedRequests) {
  start();
  const Client client(port_);
  const std::string request = "GET /hello/x HTTP/1.1\r\nHost: h\r\n\r\n";
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client.send(request));
    EXPECT_TRUE(client.answer().ends_with("x,none,"));
  }
  ASSERT_TRUE(client.send(request + post("Content-Length: 2\r\n", "ok")));
  const std::string both = client.rest();
  EXPECT_NE(both.find("x,none,HTTP/1.1 200"), std::string::npos) << both;
  EXPECT_TRUE(both.ends_with("ok"));
}

TEST_F(HttpServer, GarbageBehindARequestEndsTheConnection) {
  start();
  const std::string request = "GET /hello/x HTTP/1.1\r\nHost: h\r\n\r\n";
  for (const std::string& garbage :
       {std::string("\0\xff\x16\x03\x01\r\n\r\n", 9), std::string("\r\n\r\nyyyy\r\n\r\n"),
        std::string("GET\r\n\r\n"), std::string(10'000, 'z') + "\r\n\r\n"}) {
    const Client client(port_);
    client.send(request + garbage + request);
    const std::string answers = client.rest();
    EXPECT_EQ(status_of(answers), 200);
    const std::size_t second = answers.find("HTTP/1.1 ", 9);
    ASSERT_NE(second, std::string::npos) << answers;
    EXPECT_EQ(status_of(answers.substr(second)) / 100, 4) << answers;
    EXPECT_EQ(answers.find("HTTP/1.1 ", second + 9), std::string::npos) << answers;
  }
  // Nor has one connection the thread for ever.
  std::string many;
  for (int i = 0; i < 150; ++i) many += request;
  const Client greedy(port_);
  greedy.send(many);
  const std::string answers = greedy.rest();
  int count = 0;
  for (std::size_t at = 0; (at = answers.find("HTTP/1.1 200", at)) != std::string::npos; ++at)
    ++count;
  EXPECT_LE(count, 100);  // what it sent beyond may cost it the last ones
  EXPECT_EQ(answers.find("(timeout)"), std::string::npos);
}

TEST_F(HttpServer, ABodyWhereNoneIsTakenIsNotTheNextRequest) {
  start();
  const std::string smuggled = "GET /throws HTTP/1.1\r\nHost: h\r\n\r\n";
  const std::string answer =
      ask("GET /hello/x HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(smuggled.size()) +
          "\r\n\r\n" + smuggled);
  EXPECT_TRUE(answer.ends_with("x,none,")) << answer;
}

TEST_F(HttpServer, SlowClientsDoNotHoldUpOthers) {
  start({.threads = 2, .head_timeout = milliseconds(300), .idle_timeout = milliseconds(300)});
  std::vector<std::unique_ptr<Client>> slow;
  for (int i = 0; i < 3; ++i) {
    slow.push_back(std::make_unique<Client>(port_));
    ASSERT_TRUE(slow.back()->send("GET /hello/x HTTP/1.1\r\nHos"));
    slow.push_back(std::make_unique<Client>(port_));  // says nothing at all
  }
  EXPECT_EQ(status_of(get("/hello/x")), 200);
  for (const auto& client : slow) EXPECT_TRUE(client->is_closed());
}

TEST_F(HttpServer, AByteNowAndThenDoesNotExtendTheDeadline) {
  start({.threads = 1, .head_timeout = milliseconds(200)});
  const auto slow = clients(1, "GET /hello/x HTTP/1.1\r\nX: ");
  const Trickle trickle(slow);
  EXPECT_EQ(status_of(get("/hello/x")), 200) << "the only thread came free";
}

TEST_F(HttpServer, ManyThatSendAByteNowAndThenHoldNobodyUp) {
  start({.threads = 2, .head_timeout = milliseconds(100), .idle_timeout = milliseconds(100)});
  const auto slow = clients(12, "GET /hello/x HTTP/1.1\r\nX: ");
  const Trickle trickle(slow);
  EXPECT_EQ(status_of(get("/hello/x")), 200);
}

TEST_F(HttpServer, ASlowBodyHoldsNobodyUp) {
  start({.threads = 1, .body_timeout = milliseconds(200)});
  const auto slow = clients(3, post("Content-Length: 100000\r\n", "x"));
  const Trickle trickle(slow);
  EXPECT_EQ(status_of(get("/hello/x")), 200);
}

TEST_F(HttpServer, WhoDoesNotReadItsAnswerHoldsNobodyUp) {
  start({.threads = 1, .write_timeout = milliseconds(200)});
  const auto deaf = clients(3, "GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(status_of(get("/hello/x")), 200);
}

TEST_F(HttpServer, IdleConnectionsMakeRoom) {
  start({.threads = 1, .idle_timeout = seconds(3'600)});
  const Client idle(port_);
  ASSERT_TRUE(idle.send("GET /hello/x HTTP/1.1\r\nHost: h\r\n\r\n"));
  EXPECT_EQ(status_of(idle.answer()), 200);
  EXPECT_EQ(status_of(get("/hello/x")), 200);
  EXPECT_TRUE(idle.is_closed());
}

TEST_F(HttpServer, ServesManyAtOnce) {
  start();
  std::atomic<int> good{0};
  std::vector<std::thread> clients;
  for (int t = 0; t < 8; ++t) {
    clients.emplace_back([&] {
      for (int i = 0; i < 25; ++i) good += status_of(get("/hello/x")) == 200 ? 1 : 0;
    });
  }
  for (auto& client : clients) client.join();
  EXPECT_EQ(good, 200);
}

TEST_F(HttpServer, StopEndsOpenConnectionsAndThePort) {
  start();
  const Client half(port_);
  ASSERT_TRUE(half.send("GET /hello"));
  const Client idle(port_);
  ASSERT_TRUE(idle.connected());
  auto stopped = std::async(std::launch::async, [&] { server_->stop(); });
  EXPECT_EQ(stopped.wait_for(seconds(4)), std::future_status::ready) << "waited for its clients";
  stopped.wait();
  EXPECT_TRUE(half.is_closed());
  EXPECT_FALSE(Client(port_).connected());
  server_->stop();  // again
}

TEST_F(HttpServer, StopsRightAfterTheStart) {
  for (int i = 0; i < 20; ++i) {
    start();
    server_.reset();
    EXPECT_FALSE(Client(port_).connected());
  }
}

TEST_F(HttpServer, SaysWhenItCannotListen) {
  start();
  EXPECT_EQ(Server().start("127.0.0.1:" + std::to_string(port_)).error().code, Errc::io);
  for (const char* address : {"", "127.0.0.1", ":80", "127.0.0.1:", "127.0.0.1:x",
                              "127.0.0.1:99999", "127.0.0.1:-1", "::1:80", "127.0.0.1:80 "}) {
    const auto result = Server().start(address);
    ASSERT_FALSE(result.ok()) << address;
    EXPECT_EQ(result.error().code, Errc::invalid_argument) << address;
  }
}

TEST_F(HttpServer, ListensOnIpv6) {
  const int probe = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in6 loopback{};
  loopback.sin6_family = AF_INET6;
  loopback.sin6_addr = in6addr_loopback;
  const bool usable = ::bind(probe, reinterpret_cast<sockaddr*>(&loopback), sizeof loopback) == 0;
  ::close(probe);
  if (!usable) GTEST_SKIP() << "no IPv6 on this machine";
  Server server;
  server.route("GET", "/", [](const Request&) { return Response{.body = "{}"}; });
  const auto port = server.start("[::1]:0");
  ASSERT_TRUE(port.ok()) << port.error().message();
  const Client client(*port, AF_INET6);
  ASSERT_TRUE(client.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
  EXPECT_EQ(status_of(client.rest()), 200);
}

}  // namespace
}  // namespace dunlin::http
