#pragma once

#include <string>
#include <vector>

#include "tests/support/fleet.h"

namespace dunlin::bench {

// A reading on its way from an agent to a gateway: its own time is that of its append, and the
// gateway's debug log tells when it was durable there.
struct Arrival {
  double appended = 0;  // seconds since 1970
  double durable = 0;
  bool beyond = false;  // the gateway does not serve the agent's cell
  std::size_t gateway;  // its number in the fleet
  double milliseconds() const { return (durable - appended) * 1e3; }
};

// Of all readings of that stream, whose agents flush each alone, in the order of their appends.
Result<std::vector<Arrival>> arrivals(test::Fleet& fleet, const std::string& stream);

// A stretch of time in which somebody was lost.
struct Outage {
  double begun = 0;
  double ended = 0;  // of what is looked at
};
struct Recovery {
  double live = 0;      // seconds from the loss until live latency was normal for good
  double complete = 0;  // and until everything that was appended before that was there
};
// Normal is a quarter of a second of whose readings no more than one in twenty takes longer than
// `limit` milliseconds.
Recovery recovery(const std::vector<Arrival>& arrivals, Outage outage, double limit);

}  // namespace dunlin::bench
