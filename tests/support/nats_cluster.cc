#include <signal.h>

#include <fstream>
#include <sstream>

#include "tests/support/broker_nodes.h"
#include "tests/support/eventually.h"
#include "tests/support/http_client.h"

namespace dunlin::test {
namespace {

constexpr std::chrono::seconds kStartTimeout{30};
constexpr std::chrono::seconds kStopTimeout{10};

class NatsCluster final : public BrokerNodes {
 public:
  Result<void> start(std::size_t nodes) {
    std::string routes;
    for (std::size_t node = 0; node < nodes; ++node)
      routes += (routes.empty() ? "\"nats://" : ", \"nats://") + at(node, cluster_port_) + "\"";
    for (std::size_t node = 0; node < nodes; ++node) {
      const std::string name = "node-" + std::to_string(node);
      nodes_.push_back({.process = {}, .health_port = free_port()});
      folder_.write(name + ".conf",
                    "server_name: " + name + "\nlisten: \"" + at(node, client_port_) +
                        "\"\nhttp: \"127.0.0.1:" + std::to_string(nodes_.back().health_port) +
                        "\"\njetstream { store_dir: \"" + folder_.file(name) + "\" }\ncluster {\n" +
                        "  name: dunlin\n  listen: \"" + at(node, cluster_port_) +
                        "\"\n  routes: [" + routes + "]\n}\nmqtt { listen: \"" +
                        at(node, mqtt_port_) + "\" }\n");
      DUNLIN_TRY(run(node));
    }
    for (std::size_t node = 0; node < nodes; ++node) DUNLIN_TRY(healthy(node));
    return {};
  }

  std::vector<std::string> urls() const override {
    std::vector<std::string> urls;
    for (std::size_t node = 0; node < nodes_.size(); ++node)
      urls.push_back("mqtt://" + at(node, mqtt_port_));
    return urls;
  }
  void kill(std::size_t node) override {
    nodes_[node].process.kill(SIGKILL);
    nodes_[node].process.wait(kStopTimeout);
  }
  Result<void> restart(std::size_t node) override {
    DUNLIN_TRY(run(node));
    return healthy(node);
  }
  std::string log(std::size_t node) const override {
    std::ostringstream text;
    text << std::ifstream(log_file(node)).rdbuf();
    return text.str();
  }

 private:
  struct Node {
    ChildProcess process;
    std::uint16_t health_port = 0;
  };

  static std::string at(std::size_t node, std::uint16_t port) {
    return "127.0.0." + std::to_string(node + 1) + ":" + std::to_string(port);
  }
  std::string log_file(std::size_t node) const {
    return folder_.file("node-" + std::to_string(node) + ".log");
  }
  Result<void> run(std::size_t node) {
    const std::string file = folder_.file("node-" + std::to_string(node) + ".conf");
    DUNLIN_ASSIGN(nodes_[node].process, ChildProcess::start({.program = "nats-server",
                                                             .args = {"-c", file},
                                                             .output_file = log_file(node)}));
    return {};
  }
  // It has found the others, and what they agree on.
  Result<void> healthy(std::size_t node) const {
    const bool is = eventually(
        [&] {
          const Result<HttpReply> reply = http_get(nodes_[node].health_port, "/healthz");
          return reply.ok() && reply->status == 200;
        },
        kStartTimeout);
    if (!is) return {Errc::timeout, "nats-server does not get ready:\n" + log(node)};
    return {};
  }

  TempDir folder_;
  const std::uint16_t client_port_ = free_port();
  const std::uint16_t cluster_port_ = free_port();
  const std::uint16_t mqtt_port_ = free_port();
  std::vector<Node> nodes_;
};

}  // namespace

Result<std::unique_ptr<BrokerNodes>> cluster_nats(std::size_t nodes) {
  auto made = std::make_unique<NatsCluster>();
  DUNLIN_TRY(made->start(nodes));
  return std::unique_ptr<BrokerNodes>(std::move(made));
}

}  // namespace dunlin::test
