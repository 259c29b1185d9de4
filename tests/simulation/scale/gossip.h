#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/simulation/scale/fleet.h"

namespace dunlin::simulation {

// A cell whose agents all keep it, without a gateway: how an entry comes to all of them when its
// push did not. One entry after another, of two kinds:
//
//   said    its push is lost to all; its origin goes on, so that its Vectors tell
//   handed  its push reached one keeper, its origin died at once, and the cell was at rest: nothing
//           but Digests tells
//
// A round is one word to all by which they compare: a Digest that somebody begins with, or a Vector
// of the origin. Counted are those between the entry's cut and its commit at the last keeper.
struct GossipPlan {
  std::size_t keepers = 10;
  std::size_t entries = 10;  // of each kind
  Duration idle{std::chrono::minutes(30)};
  bool meeting = true;  // whether that is looked at, too: it costs their number squared
  std::uint64_t seed = 1;
};

struct GossipSpread {
  // Of each entry, until all have it: since it was cut, and since the first round began.
  std::vector<double> rounds, seconds, spreading;
};

// All of them meet for the first time, at once, each with a log that the others lack.
struct GossipMeeting {
  double digests = 0, messages = 0;  // that a mean keeper sends
  double seconds = 0;                // until all have everything
};

struct GossipRun {
  std::size_t keepers = 0;
  std::optional<GossipMeeting> meeting;
  GossipSpread said, handed;
  FleetTraffic idle;  // of a mean keeper, in an hour of rest
  std::vector<std::string> problems;
  double core_seconds = 0;
};
GossipRun run_gossip(const GossipPlan& plan);

}  // namespace dunlin::simulation
