#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dunlin/result.h"
#include "tests/bench/figures.h"

namespace dunlin::bench {

enum class BrokerKind {
  mosquitto,  // one, over plain TCP or TLS
  bridge,     // three mosquittos: a hub and two that are bridged to it
  nats,       // a cluster of three nodes, MQTT 3.1.1
};

struct FleetOptions {
  BrokerKind broker = BrokerKind::mosquitto;
  std::size_t agents = 40;  // ten readings a second each, every one flushed alone
  // Gateways meet in the backbone; the middle one serves all cells, each other one of them.
  std::size_t gateways = 3;
  std::size_t cells = 2;
  std::uint64_t seconds = 10;  // before, while and after somebody is lost
  bool kill_broker = false;
  bool tls = false;  // a fleet with an authority; mosquitto alone
};

// Real programs on this machine under live load, of which one is lost after the other: a gateway
// that forwards is killed, it hangs, a node of the broker is killed. Tells what was lost or doubled
// in the end, how long live readings were late at the gateways that go on, and what their way took
// before and after.
Result<std::vector<Figure>> run_fleet(const FleetOptions& options);

}  // namespace dunlin::bench
