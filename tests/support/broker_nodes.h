#pragma once

#include <memory>
#include <string>
#include <vector>

#include "dunlin/result.h"
#include "tests/support/mosquitto.h"

namespace dunlin::test {

// A broker of several nodes, real processes on loopback: what is said to one is heard at all. The
// destructor stops each by its pid.
class BrokerNodes {
 public:
  virtual ~BrokerNodes() = default;

  virtual std::vector<std::string> urls() const = 0;  // of each node
  virtual void kill(std::size_t node) = 0;            // SIGKILL, as a crash
  // After that; returns once the others have it back.
  virtual Result<void> restart(std::size_t node) = 0;
  virtual std::string log(std::size_t node) const = 0;
};

// Node 0 is the hub, to which the others build bridges for a fleet's topics. `not_found`: mosquitto
// is not installed.
Result<std::unique_ptr<BrokerNodes>> bridge_mosquittos(std::size_t nodes,
                                                       const std::string& fleet = "default");
// A NATS cluster with JetStream, each node on an address of its own: 127.0.0.1 and so on.
// MQTT 3.1.1 alone. `not_found`: nats-server is not installed.
Result<std::unique_ptr<BrokerNodes>> cluster_nats(std::size_t nodes);

}  // namespace dunlin::test
