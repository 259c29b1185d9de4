#include "common/replication/followers.h"

namespace dunlin::replication {

bool Followers::follow(Instant now, const NodeId& agent, CellIndex cell,
                       std::vector<Followed> follows) {
  std::erase_if(agents_, [&](const auto& known) {
    return known.second.follows.empty() && known.second.heard + kRemembered < now;
  });
  forget(agent);
  for (const Followed& each : follows) by_name_[each.node].insert(agent);
  Agent& its = agents_.try_emplace(agent).first->second;
  its.cell = cell, its.follows = std::move(follows), its.heard = now;
  return its.answers.take(now, kAnswerSeconds);
}

void Followers::forget(const NodeId& agent) {
  const auto known = agents_.find(agent);
  if (known == agents_.end()) return;
  for (const Followed& each : known->second.follows) {
    const auto named = by_name_.find(each.node);
    if (named == by_name_.end()) continue;  // named twice
    named->second.erase(agent);
    if (named->second.empty()) by_name_.erase(named);
  }
  known->second.follows.clear();  // what it was answered counts on
}

std::set<CellIndex> Followers::cells(const std::string& node, Track track) const {
  std::set<CellIndex> cells;
  const auto named = by_name_.find(node);
  if (named == by_name_.end()) return cells;
  for (const NodeId& agent : named->second) {
    const Agent& its = agents_.at(agent);
    if (covers(its.follows, node, track)) cells.insert(its.cell);
  }
  return cells;
}

}  // namespace dunlin::replication
