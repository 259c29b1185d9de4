#include "tests/support/broker_nodes.h"
#include "tests/support/eventually.h"

namespace dunlin::test {
namespace {

class BridgedMosquittos final : public BrokerNodes {
 public:
  Result<void> start(std::size_t nodes, const std::string& fleet) {
    DUNLIN_ASSIGN(std::unique_ptr<Mosquitto> hub, Mosquitto::start());
    const std::string to_hub = "address 127.0.0.1:" + std::to_string(hub->port()) +
                               "\nbridge_protocol_version mqttv50\nnotifications false\n"
                               "cleansession true\nrestart_timeout 1\ntopic dunlin/v1/" +
                               fleet + "/# both 0\n";
    nodes_.push_back(std::move(hub));
    while (nodes_.size() < nodes) {
      const std::string name = "leaf-" + std::to_string(nodes_.size());
      DUNLIN_ASSIGN(std::unique_ptr<Mosquitto> leaf,
                    Mosquitto::start({.more_configuration = "connection " + name + "\n" + to_hub}));
      nodes_.push_back(std::move(leaf));
      DUNLIN_TRY(bridged(nodes_.size() - 1, 0));
    }
    return {};
  }

  std::vector<std::string> urls() const override {
    std::vector<std::string> urls;
    for (const auto& node : nodes_) urls.push_back(node->url());
    return urls;
  }
  void kill(std::size_t node) override { nodes_[node]->kill(); }
  Result<void> restart(std::size_t node) override {
    std::vector<std::size_t> before;
    for (std::size_t leaf = 1; leaf < nodes_.size(); ++leaf) before.push_back(bridges(leaf));
    DUNLIN_TRY(nodes_[node]->restart());
    for (std::size_t leaf = 1; leaf < nodes_.size(); ++leaf) {
      if (node == 0 || node == leaf) DUNLIN_TRY(bridged(leaf, before[leaf - 1]));
    }
    return {};
  }
  std::string log(std::size_t node) const override { return nodes_[node]->log(); }

 private:
  // How often that leaf's bridge was subscribed to at the hub so far.
  std::size_t bridges(std::size_t leaf) const {
    const std::string log = nodes_[leaf]->log();
    std::size_t count = 0;
    for (std::size_t at = 0; (at = log.find("Received SUBACK", at)) != std::string::npos; ++at)
      ++count;
    return count;
  }
  Result<void> bridged(std::size_t leaf, std::size_t before) const {
    if (eventually([&] { return bridges(leaf) > before; })) return {};
    return {Errc::timeout, "no bridge to the hub:\n" + log(leaf)};
  }

  std::vector<std::unique_ptr<Mosquitto>> nodes_;
};

}  // namespace

Result<std::unique_ptr<BrokerNodes>> bridge_mosquittos(std::size_t nodes,
                                                       const std::string& fleet) {
  auto made = std::make_unique<BridgedMosquittos>();
  DUNLIN_TRY(made->start(nodes, fleet));
  return std::unique_ptr<BrokerNodes>(std::move(made));
}

}  // namespace dunlin::test
