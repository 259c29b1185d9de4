#pragma once

#include <cstddef>
#include <map>
#include <vector>

#include "common/log/interval_set.h"
#include "common/log/log_id.h"

namespace dunlin::replication {

// Whose word lets an origin let go of entries, and how many of them it takes.
struct ArchivePolicy {
  std::vector<NodeId> gateways;  // empty = every gateway of the fleet
  std::size_t acks = 1;          // of different gateways
};

// What gateways signed as durable of this node's own logs. The latest word of each counts, so one
// that lost its database takes back what it said before; nobody waits for one that is silent.
class AckLedger {
 public:
  explicit AckLedger(ArchivePolicy policy) : policy_(std::move(policy)) {}

  // Whether the word of this gateway counts. Of unnamed ones the first 16 do.
  bool counts(const NodeId& gateway) const;
  // What enough gateways acknowledged before this start. It stays until one of them knows better.
  void start(const LogId& log, IntervalSet acked) { words_[log].former = std::move(acked); }
  // Nobody's word on what follows `last` counts any more.
  void roll_back(const LogId& log, Seq last);
  // The word of a gateway that counts; what enough of them hold by now. O(intervals log intervals).
  IntervalSet heard(const LogId& log, const NodeId& gateway, IntervalSet durable);
  // Its words since this start do not count any more: what enough of the others hold, by log.
  std::map<LogId, IntervalSet> forget(const NodeId& gateway);

 private:
  static constexpr std::size_t kGatewaysMax = 16;
  struct Words {
    std::map<NodeId, IntervalSet> by_gateway;
    IntervalSet former;
  };
  IntervalSet acked(const Words& words) const;

  ArchivePolicy policy_;
  std::vector<NodeId> known_;  // whose word counted, when none are named
  std::map<LogId, Words> words_;
};

// The sequence numbers that at least `count` of `sets` contain.
IntervalSet in_at_least(std::size_t count, const std::vector<const IntervalSet*>& sets);

}  // namespace dunlin::replication
