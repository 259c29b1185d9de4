// MQTT speaks TLS 1.2 or newer on both sides, even where the system's OpenSSL would speak less.
#include "tests/integration/membership.h"
#include "tests/support/certificates.h"

namespace dunlin {
namespace {

using test::ChildProcess;
using test::eventually;
using test::Member;

class TlsVersion : public Membership {
 protected:
  // For the environment: with it OpenSSL 3 speaks TLS 1.1 with whoever likes to.
  const std::string permissive_ =
      "OPENSSL_CONF=" + folder_.write("openssl.cnf",
                                      "openssl_conf = init\n"
                                      "[init]\nssl_conf = ssl\n"
                                      "[ssl]\nsystem_default = all\n"
                                      "[all]\nMinProtocol = TLSv1.1\n"
                                      "CipherString = DEFAULT:@SECLEVEL=0\n");

  // Whether a client that speaks nothing else gets through to that port.
  bool speaks(const std::string& version, std::uint16_t port) {
    const std::string file = folder_.file("client");
    std::filesystem::remove(file);
    (void)test::run_program(
        {.program = "openssl",
         .args = {"s_client", "-connect", "127.0.0.1:" + std::to_string(port), "-" + version},
         .env = {permissive_},
         .output_file = file});
    const std::string text = read_file(file);
    return text.find("Cipher is ") != std::string::npos &&
           text.find("Cipher is (NONE)") == std::string::npos;
  }
  void restart_broker() {
    broker_.kill(SIGTERM);
    ASSERT_TRUE(broker_.wait(std::chrono::seconds(10)));
    start_broker({permissive_});
  }
};

TEST_F(TlsVersion, OurBrokerRefusesOlderClients) {
  restart_broker();
  EXPECT_FALSE(speaks("tls1_1", port_));
  EXPECT_TRUE(speaks("tls1_2", port_));
  EXPECT_TRUE(speaks("tls1_3", port_));
  // It is our configuration that says so.
  const std::string file = fleet_ + "/broker/mosquitto.conf", line = "tls_version tlsv1.2";
  std::string text = read_file(file);
  ASSERT_NE(text.find(line), std::string::npos);
  std::ofstream(file) << text.replace(text.find(line), line.size(), "tls_version tlsv1.1");
  restart_broker();
  EXPECT_TRUE(speaks("tls1_1", port_));
}

TEST_F(TlsVersion, NodesRefuseOlderBrokers) {
  test::Authority authority("brokers");
  const auto certificate = authority.sign("broker", "IP:127.0.0.1");
  ASSERT_TRUE(authority.ok);
  for (const std::string version : {"tls1_1", "tls1_2", "tls1_3"}) {
    const std::uint16_t port = test::free_port();
    const std::string file = folder_.file(version + ".server");
    ChildProcess server =
        ChildProcess::start(
            {.program = "openssl",
             .args = {"s_server", "-accept", "127.0.0.1:" + std::to_string(port), "-cert",
                      certificate.cert_file, "-key", certificate.key_file, "-" + version},
             .env = {permissive_},
             .output_file = file,
             .stdin_pipe = true})
            .value();
    ASSERT_TRUE(eventually([&] { return test::accepts_connections(port); }));
    ASSERT_TRUE(speaks(version, port));
    std::filesystem::resize_file(file, 0);
    Member agent(folder_, {.name = version,
                           .broker_url = "mqtts://127.0.0.1:" + std::to_string(port),
                           .broker_keys = "ca_file = \"" + authority.ca_file + "\"\n",
                           .environment = {permissive_}});
    const Result<void> started = agent.start();
    ASSERT_TRUE(started.ok()) << started.error().message();
    const bool refused = version == "tls1_1";
    const char* const sign = refused ? "no shared cipher" : "CIPHER is";
    EXPECT_TRUE(eventually([&] { return read_file(file).find(sign) != std::string::npos; }))
        << read_file(file) << agent.log();
  }
}

}  // namespace
}  // namespace dunlin
