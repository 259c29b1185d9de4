#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "dunlin/interest.h"

namespace dunlin::replication {

// Logs of a node, by its name, wherever it is: of one track (and track 0, without which nothing is
// understood), or all of them.
struct Followed {
  std::string node;
  std::optional<Track> track = {};
  bool operator==(const Followed&) const = default;

  bool covers(Track other) const { return !track || other == kControlTrack || other == *track; }
};

// Whether that track of a node of that name is among them.
inline bool covers(const std::vector<Followed>& follows, std::string_view node, Track track) {
  return std::ranges::any_of(
      follows, [&](const Followed& each) { return each.node == node && each.covers(track); });
}

// Whose logs an agent keeps besides its own. Gateways keep all.
struct Interest {
  using Scope = InterestScope;
  Scope scope = Scope::own;
  std::vector<Followed> follows = {};  // at most kFollowsMax

  bool any() const { return scope != Scope::own || !follows.empty(); }
  bool keeps_cell() const { return scope != Scope::own; }
  // Whether it may keep logs of nodes that are in no cell of its own.
  bool beyond_cell() const { return scope == Scope::fleet || !follows.empty(); }
};

}  // namespace dunlin::replication
