#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "common/base/token_bucket.h"
#include "common/replication/interest.h"
#include "common/replication/whereabouts.h"

namespace dunlin::replication {

// Of a gateway: which agents in its cells follow nodes of other cells (follower.h). What it stores
// of those it hands on in the cells of those agents (forwarder.h).
class Followers {
 public:
  // In place of what `agent` said before. False when it says so too often to be answered: an answer
  // looks at all nodes.
  bool follow(Instant now, const NodeId& agent, CellIndex cell, std::vector<Followed> follows);
  void forget(const NodeId& agent);
  // Where somebody follows that track of nodes of that name. O(who follows it).
  std::set<CellIndex> cells(const std::string& node, Track track) const;
  bool empty() const { return by_name_.empty(); }

 private:
  static constexpr std::int64_t kAnswerSeconds = 5;  // for each answer, but for the first few
  static constexpr Duration kRemembered = std::chrono::minutes(1);

  struct Agent {
    CellIndex cell = 0;
    std::vector<Followed> follows = {};  // none: it is gone
    Instant heard{};
    TokenBucket answers{1, 4 * kAnswerSeconds};
  };
  std::map<NodeId, Agent> agents_;
  std::map<std::string, std::set<NodeId>> by_name_;
};

}  // namespace dunlin::replication
