#pragma once

#include "tests/simulation/scale/gossip.h"

namespace dunlin::simulation {

// Figures as JSON lines: what does not grow with a fleet, what many logs cost a gateway, and how
// soon cells without one agree.
void print_fleet_figures();
void print_gateway_figures();
void print_gossip_figures();
void print_gossip(const GossipRun& run);

}  // namespace dunlin::simulation
