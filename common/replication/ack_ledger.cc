#include "common/replication/ack_ledger.h"

#include <algorithm>

#include "common/log/limits.h"

namespace dunlin::replication {

bool AckLedger::counts(const NodeId& gateway) const {
  const auto in = [&](const std::vector<NodeId>& nodes) {
    return std::find(nodes.begin(), nodes.end(), gateway) != nodes.end();
  };
  if (!policy_.gateways.empty()) return in(policy_.gateways);
  return known_.size() < kGatewaysMax || in(known_);
}

IntervalSet AckLedger::heard(const LogId& log, const NodeId& gateway, IntervalSet durable) {
  if (std::find(known_.begin(), known_.end(), gateway) == known_.end()) known_.push_back(gateway);
  Words& words = words_[log];
  words.former.erase(durable.complement({1, kSeqMax}));
  words.by_gateway[gateway] = std::move(durable);
  return acked(words);
}

IntervalSet AckLedger::acked(const Words& words) const {
  std::vector<const IntervalSet*> sets;
  for (const auto& [node, set] : words.by_gateway) sets.push_back(&set);
  IntervalSet acked = in_at_least(policy_.acks, sets);
  acked.insert(words.former);
  return acked;
}

std::map<LogId, IntervalSet> AckLedger::forget(const NodeId& gateway) {
  std::erase(known_, gateway);
  std::map<LogId, IntervalSet> left;
  for (auto& [log, words] : words_) {
    if (words.by_gateway.erase(gateway) > 0) left[log] = acked(words);
  }
  return left;
}

void AckLedger::roll_back(const LogId& log, Seq last) {
  const Interval gone{last + 1, kSeqMax};
  Words& words = words_[log];
  words.former.erase(gone);
  for (auto& [gateway, durable] : words.by_gateway) durable.erase(gone);
}

IntervalSet in_at_least(std::size_t count, const std::vector<const IntervalSet*>& sets) {
  std::vector<std::pair<Seq, int>> ends;  // how many sets more contain it from here on
  for (const IntervalSet* set : sets) {
    for (const Interval& interval : set->intervals()) {
      ends.emplace_back(interval.first, 1);
      ends.emplace_back(interval.last + 1, -1);
    }
  }
  std::sort(ends.begin(), ends.end());
  IntervalSet found;
  std::size_t in = 0;
  Seq from = 0;  // of the interval that is open; 0 = none
  for (auto end = ends.begin(); end != ends.end();) {
    const Seq at = end->first;
    for (; end != ends.end() && end->first == at; ++end) end->second > 0 ? ++in : --in;
    if (from == 0 && in >= count) from = at;
    if (from != 0 && in < count) found.insert({from, at - 1}), from = 0;
  }
  return found;
}

}  // namespace dunlin::replication
