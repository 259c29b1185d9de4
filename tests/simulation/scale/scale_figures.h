#pragma once

namespace dunlin::simulation {

// Figures as JSON lines: what does not grow with a fleet, and what many logs cost a gateway.
void print_fleet_figures();
void print_gateway_figures();

}  // namespace dunlin::simulation
