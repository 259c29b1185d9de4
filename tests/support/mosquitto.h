#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "dunlin/result.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace dunlin::test {

// A port of 127.0.0.1 that nobody listened on a moment ago.
std::uint16_t free_port();
// Whether somebody accepts connections there.
bool accepts_connections(std::uint16_t port);

// A real broker on a free loopback port, in a folder of its own, without persistence. The
// destructor stops it by its pid.
class Mosquitto {
 public:
  struct Options {
    std::string username = {};  // "" = anonymous
    std::string password = {};
    std::string ca_file = {};  // with the next two: TLS
    std::string cert_file = {};
    std::string key_file = {};
    bool require_client_certificate = false;  // signed by ca_file
    std::size_t packet_bytes_max = 0;         // 0 = no limit
    std::string more_configuration = {};      // lines added to the file
    std::string file = {};                    // a configuration with TLS in place of all that,
    std::uint16_t port = 0;                   // and where it listens
  };

  // Returns once it accepts connections. `not_found`: mosquitto is not installed.
  static Result<std::unique_ptr<Mosquitto>> start(const Options& options);
  static Result<std::unique_ptr<Mosquitto>> start() { return start(Options{}); }

  std::uint16_t port() const { return port_; }
  std::string url(std::string_view host = "127.0.0.1") const;
  std::string log() const;  // what it has printed so far

  void kill();             // SIGKILL, as a crash
  void stop();             // SIGTERM
  void reload();           // SIGHUP: reads its rights again
  Result<void> restart();  // after either, on the same port

 private:
  Mosquitto(std::uint16_t port, bool tls) : port_(port), tls_(tls) {}
  Result<void> configure(const Options& options);

  TempDir folder_;
  std::string file_ = folder_.file("mosquitto.conf");
  std::uint16_t port_;
  bool tls_;
  ChildProcess process_;
};

}  // namespace dunlin::test

// Starts a broker into a new variable, or skips the test where mosquitto is missing; with CI set in
// the environment that is a failure instead.
#define DUNLIN_START_MOSQUITTO(broker, ...)                                              \
  auto broker##_result = ::dunlin::test::Mosquitto::start(__VA_ARGS__);                  \
  if (!broker##_result && broker##_result.error().code == ::dunlin::Errc::not_found &&   \
      !std::getenv("CI")) {                                                              \
    GTEST_SKIP() << "mosquitto is not installed: " << broker##_result.error().message(); \
  }                                                                                      \
  ASSERT_TRUE(broker##_result.ok()) << broker##_result.error().message();                \
  const std::unique_ptr<::dunlin::test::Mosquitto> broker = std::move(broker##_result).value()
