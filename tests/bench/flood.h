#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace dunlin::bench {

// A hostile member: publishes segments that look right and do not verify, on the topics that are
// its own and its cell's, as fast as the broker takes them.
struct FloodOptions {
  std::uint16_t broker_port = 0;
  std::chrono::seconds duration{10};
  std::string gateway;  // whose inbox is flooded as well; "" = none
  std::string bundle;   // its own, in a fleet with an authority
};
int flood_main(const FloodOptions& options);

}  // namespace dunlin::bench
