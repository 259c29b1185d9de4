// HTTPS as clients of a fleet see it.
#include "common/http/tls.h"

#include <gtest/gtest.h>
#include <httplib.h>
#include <openssl/ssl.h>
#include <poll.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <mutex>
#include <set>
#include <thread>

#include "common/http/server.h"
#include "common/security/certificate.h"
#include "tests/support/eventually.h"
#include "tests/support/temp_dir.h"

namespace dunlin::http {
namespace {

using security::Authority;
using security::NodeKey;
using std::chrono::milliseconds;

constexpr security::Validity kAlways{0, 4'000'000'000'000'000};

class TlsTest : public testing::Test {
 protected:
  struct Files {
    std::string certificate, key;
    Bytes der;
  };
  static Authority make_authority() {
    return Authority::create(NodeKey::generate().value(), "mountain", kAlways).value();
  }
  Files make(Authority& authority, const std::string& name, const std::vector<std::string>& hosts,
             security::Validity validity = kAlways) {
    const auto key = NodeKey::generate().value();
    const auto certificate =
        authority.issue(key->public_key(), {"mountain", "north", "gateway", name}, validity, hosts)
            .value();
    Files files{folder_.file(name + ".crt"), folder_.file(name + ".key"), certificate.der()};
    std::ofstream(files.certificate) << certificate.to_pem();
    std::ofstream(files.key) << key->to_pem().value();
    return files;
  }
  void SetUp() override {
    std::ofstream(fleet_) << authority_.certificate().to_pem();
    own_ = make(authority_, "server", {"localhost", "127.0.0.1"});
    tls_ = TlsContext::load({own_.certificate, own_.key, fleet_}).value();
    start({});
  }
  void start(ServerOptions options) {
    options.tls = tls_;
    server_ = std::make_unique<Server>(options);
    server_->route("GET", "/who", [](const Request& request) {
      return Response{.body = to_hex(request.client_certificate)};
    });
    server_->route("GET", "/where", [](const Request& request) {
      return Response{.body = to_hex(as_bytes(request.client_address))};
    });
    server_->route("POST", "/echo",
                   [](const Request& request) { return Response{.body = request.body}; });
    port_ = server_->start("127.0.0.1:0").value();
  }
  std::unique_ptr<httplib::SSLClient> client(const Files& files = {},
                                             const std::string& host = "localhost") {
    auto client = std::make_unique<httplib::SSLClient>(host, port_, files.certificate, files.key);
    client->set_ca_cert_path(fleet_.c_str());
    client->enable_server_certificate_verification(true);
    return client;
  }

  // Somebody who connected.
  int connected() const {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(port_));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
    return fd;
  }

  test::TempDir folder_;
  std::string fleet_ = folder_.file("fleet.crt");
  Authority authority_ = make_authority();
  Files own_;
  std::shared_ptr<TlsContext> tls_;
  std::unique_ptr<Server> server_;
  int port_ = 0;
};

TEST_F(TlsTest, TellsWhoAsks) {
  EXPECT_EQ(client()->Get("/who")->body, "");
  const Files device = make(authority_, "device", {});
  EXPECT_EQ(client(device)->Get("/who")->body, to_hex(device.der));
  EXPECT_EQ(client(device, "127.0.0.1")->Get("/who")->body, to_hex(device.der));
  EXPECT_EQ(client(device, "127.0.0.1")->Get("/where")->body, "7f000001");
}

TEST_F(TlsTest, CarriesLargeBodiesBothWays) {
  const std::string body(1'000'000, 'x');
  auto connection = client(make(authority_, "device", {}));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(connection->Post("/echo", body, "text/plain")->body, body);
}

TEST_F(TlsTest, LetsNobodyInWithAWrongCertificate) {
  server_->stop();
  std::mutex mutex;
  std::multiset<Errc> told;
  start({.on_no_handshake = [&](const Error& why) {
    const std::lock_guard lock(mutex);
    told.insert(why.code);
  }});
  Authority foreign = make_authority();
  EXPECT_FALSE(client(make(foreign, "foreign", {}))->Get("/who"));
  EXPECT_FALSE(client(make(authority_, "over", {}, {0, 1'000'000}))->Get("/who"));
  EXPECT_FALSE(client(make(authority_, "early", {}, {kAlways.until - 1'000'000, kAlways.until}))
                   ->Get("/who"));
  EXPECT_TRUE(client()->Get("/who"));
  EXPECT_FALSE(httplib::Client("localhost", port_).Get("/who"));
  const std::multiset<Errc> all{Errc::untrusted, Errc::expired, Errc::expired, Errc::malformed};
  EXPECT_TRUE(test::eventually([&] {
    const std::lock_guard lock(mutex);
    return told == all;
  }));
  server_->stop();
}

TEST_F(TlsTest, ClientsTellAnotherServer) {
  own_ = make(authority_, "elsewhere", {"elsewhere.example.org"});
  tls_ = TlsContext::load({own_.certificate, own_.key, fleet_}).value();
  server_->stop();
  start({});
  EXPECT_FALSE(client()->Get("/who"));
}

TEST_F(TlsTest, ShowsANewCertificateWithoutARestart) {
  const Files fresh = make(authority_, "fresh", {"localhost"});
  auto held = client();
  held->set_keep_alive(true);
  ASSERT_TRUE(held->Get("/who"));
  std::filesystem::copy_file(fresh.key, own_.key,
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_FALSE(TlsContext::load({own_.certificate, own_.key, fleet_}).ok()) << "half of it is new";
  EXPECT_TRUE(client({}, "127.0.0.1")->Get("/who")) << "and the old one still shown";
  std::filesystem::copy_file(fresh.certificate, own_.certificate,
                             std::filesystem::copy_options::overwrite_existing);
  // The new one does not name the address.
  EXPECT_TRUE(test::eventually([&] { return !client({}, "127.0.0.1")->Get("/who"); }));
  EXPECT_TRUE(client()->Get("/who"));
  // Who was there stays, or comes again: an idle connection makes room for one that waits.
  EXPECT_TRUE(test::eventually([&] { return bool(held->Get("/who")); }));
}

TEST_F(TlsTest, WhoDoesNotShakeHandsHoldsNobodyUp) {
  server_->stop();
  start({.threads = 1, .head_timeout = milliseconds(300)});
  httplib::Client plain("localhost", port_);
  EXPECT_FALSE(plain.Get("/who"));
  // They connect and send nothing.
  std::vector<int> sockets;
  for (int i = 0; i < 3; ++i) sockets.push_back(connected());
  auto patient = client();
  patient->set_connection_timeout(10);
  EXPECT_TRUE(patient->Get("/who"));
  for (const int fd : sockets) {
    char byte = 0;
    EXPECT_EQ(::recv(fd, &byte, 1, 0), 0);
    ::close(fd);
  }
}

TEST_F(TlsTest, AByteOfAHandshakeNowAndThenHoldsNobodyUp) {
  server_->stop();
  start({.threads = 2, .head_timeout = milliseconds(100)});
  std::vector<int> sockets;
  for (int i = 0; i < 6; ++i) sockets.push_back(connected());
  std::atomic<bool> done{false};
  std::thread feeder([&] {
    const std::string hello("\x16\x03\x01\x3f\xff\x01\x00\x3f\xfb\x03\x03", 11);  // of 16 KiB
    std::vector<pollfd> open;
    for (const int fd : sockets) open.push_back({fd, POLLIN, 0});
    for (std::size_t at = 0; !open.empty() && !done; ++at) {
      const char byte = at < hello.size() ? hello[at] : 'y';
      for (const pollfd& each : open) (void)::send(each.fd, &byte, 1, MSG_NOSIGNAL);
      ::poll(open.data(), open.size(), 5);  // their pace, not a wait for anything
      std::erase_if(open, [](const pollfd& each) { return each.revents != 0; });
    }
  });
  auto patient = client();
  patient->set_connection_timeout(20);
  patient->set_read_timeout(20);
  EXPECT_TRUE(patient->Get("/who"));
  done = true;
  feeder.join();
  for (const int fd : sockets) ::close(fd);
}

TEST_F(TlsTest, ASlowBodyHoldsNobodyUp) {
  server_->stop();
  start({.threads = 1, .body_timeout = milliseconds(200)});
  const Files device = make(authority_, "device", {});
  std::promise<void> begun, answered;
  const auto over = answered.get_future().share();
  auto slow = std::async(std::launch::async, [&] {
    return client(device)->Post(
        "/echo", 1'000'000,
        [&](std::size_t offset, std::size_t, httplib::DataSink& sink) {
          if (offset == 0) begun.set_value();
          // Its pace, not a wait for anything.
          const bool go_on = over.wait_for(milliseconds(5)) != std::future_status::ready;
          return go_on && sink.write("y", 1);
        },
        "text/plain");
  });
  begun.get_future().wait();
  auto patient = client();
  patient->set_connection_timeout(20);
  patient->set_read_timeout(20);
  EXPECT_TRUE(patient->Get("/who"));
  answered.set_value();
  const httplib::Result refused = slow.get();
  EXPECT_TRUE(!refused || refused->status == 400);
}

TEST_F(TlsTest, WhoShowsNoCertificateSendsLittle) {
  EXPECT_EQ(client()->Post("/echo", std::string(16 << 10, 'x'), "text/plain")->status, 200);
  EXPECT_EQ(client()->Post("/echo", std::string((16 << 10) + 1, 'x'), "text/plain")->status, 413);
  const auto chunked = [](std::size_t, httplib::DataSink& sink) {
    const std::string piece(1000, 'x');
    for (int n = 0; n < 17; ++n) sink.write(piece.data(), piece.size());
    return sink.done(), true;
  };
  EXPECT_EQ(client()->Post("/echo", chunked, "text/plain")->status, 413);
}

// Who is refused is told so at once: nobody waits for the body, which may never come.
TEST_F(TlsTest, TheGuardIsAskedBeforeTheBody) {
  server_->stop();
  std::atomic<int> asked{0};
  start({.guard = [&](const Request& request) {
    asked += 1;
    return request.client_certificate.empty() ? std::optional(Response{.status = 401})
                                              : std::nullopt;
  }});
  std::promise<void> answered;
  const auto over = answered.get_future().share();
  auto slow = std::async(std::launch::async, [&] {
    return client()->Post(
        "/echo", 10'000,
        [&](std::size_t, std::size_t, httplib::DataSink& sink) {
          return sink.write("y", 1), over.wait_for(milliseconds(5)) != std::future_status::ready;
        },
        "text/plain");
  });
  EXPECT_TRUE(test::eventually([&] { return asked == 1; }));
  EXPECT_EQ(client()->Get("/who")->status, 401);
  EXPECT_EQ(client(make(authority_, "device", {}))->Post("/echo", "x", "text/plain")->body, "x");
  EXPECT_EQ(asked, 3);
  answered.set_value();
  (void)slow.get();
  server_->stop();
}

TEST_F(TlsTest, SpeaksNothingOld) {
  for (const int version : {TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION}) {
    auto old = client();
    SSL_CTX_set_security_level(old->ssl_context(), 0);
    SSL_CTX_set_min_proto_version(old->ssl_context(), version);
    SSL_CTX_set_max_proto_version(old->ssl_context(), version);
    EXPECT_EQ(bool(old->Get("/who")), version >= TLS1_2_VERSION) << version;
  }
}

TEST_F(TlsTest, NamesTheFileThatIsWrong) {
  const auto fault = [&](const TlsFiles& files) {
    const auto context = TlsContext::load(files);
    return context.ok() ? std::string() : context.error().message();
  };
  const Files other = make(authority_, "other", {});
  EXPECT_NE(fault({"none.crt", own_.key, fleet_}).find("none.crt"), std::string::npos);
  EXPECT_NE(fault({own_.certificate, "none.key", fleet_}).find("none.key"), std::string::npos);
  EXPECT_NE(fault({own_.certificate, other.key, fleet_}).find("other.key"), std::string::npos);
  EXPECT_NE(fault({own_.certificate, own_.key, "none.pem"}).find("none.pem"), std::string::npos);
}

}  // namespace
}  // namespace dunlin::http
