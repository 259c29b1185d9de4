#include "common/replication/acknowledger.h"

#include <algorithm>

namespace dunlin::replication {

void Acknowledger::durable(const NodeId& origin, std::size_t bytes, Instant now) {
  Due& due = due_.try_emplace(origin, Due{now + kDelay}).first->second;
  due.bytes += bytes;
  if (due.bytes >= kBytes) due.at = std::min(due.at, now);
  next_ = std::min(next_.value_or(due.at), due.at);
}

std::vector<NodeId> Acknowledger::take_due(Instant now) {
  std::vector<NodeId> origins;
  if (!next_ || *next_ > now) return origins;
  next_.reset();
  for (auto it = due_.begin(); it != due_.end();) {
    if (it->second.at <= now) {
      origins.push_back(it->first);
      it = due_.erase(it);
    } else {
      next_ = std::min(next_.value_or(it->second.at), it->second.at);
      ++it;
    }
  }
  return origins;
}

}  // namespace dunlin::replication
