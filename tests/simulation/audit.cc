#include "tests/simulation/audit.h"

#include <algorithm>

#include "common/log/limits.h"
#include "common/replication/ack_ledger.h"

namespace dunlin::simulation {

namespace {

using namespace replication;

IntervalSet claims_of(const Vector::Item& item) {
  IntervalSet claimed;
  if (item.head > 0) claimed.insert({1, item.head});
  claimed.erase(item.missing);
  return claimed;
}

bool covers(const IntervalSet& set, const IntervalSet& part) {
  return std::all_of(part.intervals().begin(), part.intervals().end(),
                     [&](const Interval& interval) { return set.contains(interval); });
}

}  // namespace

bool Audit::sent(const Party& by, const Send& send) {
  nodes_[by.index].sent[std::string(send.message)] += 1;
  if (send.payload.size() > kMessageBytesMax)
    problem_(by.name + " sends " + std::to_string(send.payload.size()) + " bytes");
  if (is_retained(send.topic) && send.payload.empty()) return false;  // it clears what stands there
  const Result<Envelope> envelope = decode_envelope(send.payload);
  if (!envelope.ok()) {
    problem_(by.name + " sends what nobody reads: " + envelope.error().message());
    return false;
  }
  const auto* vector = std::get_if<Vector>(&envelope->message);
  const auto* ack = std::get_if<Ack>(&envelope->message);
  if (!by.gateway || (vector == nullptr && ack == nullptr)) return false;
  for (const Vector::Item& item : ack != nullptr ? ack->logs : vector->logs) {
    if (item.log.node == by.id) continue;
    if (!covers(nodes_[by.index].committed[item.log], claims_of(item)))
      problem_(by.name + " claims what it has not committed of " + item.log.to_string());
    if (ack != nullptr) claimed(by.index, item);
  }
  return true;
}

void Audit::claimed(std::size_t gateway, const Vector::Item& item) {
  Word& word = words_[item.log][gateway];
  word.now.insert(claims_of(item));
  word.ever.insert(claims_of(item));
}

void Audit::committed(const Party& by, const Write& write, std::span<const WriteOutcome> outcomes) {
  Node& node = nodes_[by.index];
  for (const Rollback& rollback : write.rollbacks)
    node.committed[rollback.log].erase({rollback.last + 1, ~Seq{0}});
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    const SegmentRecord& segment = write.segments[i];
    if (outcomes[i].kind == WriteOutcome::Kind::fork) {
      forked_.insert(segment.info.log);
      public_forks_.insert(segment.info.log);
      continue;
    }
    if (outcomes[i].kind == WriteOutcome::Kind::won) {
      forked_.insert(segment.info.log);
      public_forks_.insert(segment.info.log);
      node.committed[segment.info.log].erase({segment.info.first, ~Seq{0}});
    }
    node.committed[segment.info.log].insert(segment.info.interval());
    if (outcomes[i].kind != WriteOutcome::Kind::duplicate)
      node.entries += segment.info.interval().size();
    note_hash(segment.info, by.gateway);
    for (const Entry& entry : segment.control) {
      for (const Op& op : entry.ops) {
        const auto* lost = std::get_if<Lost>(&op);
        if (lost == nullptr) continue;
        const LogId target{segment.info.log.node, lost->epoch, lost->track};
        for (const LostRange& range : lost->ranges) {
          lost_[target].insert({range.first, range.last});
          node.committed[target].insert({range.first, range.last});
        }
      }
    }
  }
  for (const Release& release : write.releases) check_release(by, release);
  for (const Acked& acked : write.acks) check_acked(by, acked);
}

void Audit::check_acked(const Party& by, const Acked& acked) {
  if (by.gateway) return;
  std::vector<const IntervalSet*> words;
  for (const auto& [gateway, word] : words_[acked.log]) words.push_back(&word.ever);
  IntervalSet rest = acked.acked;
  rest.erase(in_at_least(acks_needed_, words));
  if (!rest.empty())
    problem_(by.name +
             " takes for acked what too few gateways signed for: " + acked.log.to_string());
}

void Audit::check_release(const Party& by, const Release& release) {
  if (by.gateway || release.log.node != by.id) return;
  IntervalSet rest;  // neither lost nor vouched for by enough
  rest.insert(release.interval);
  rest.erase(lost_[release.log]);
  const std::map<std::size_t, Word>& words = words_[release.log];
  for (const Interval& interval : rest.intervals()) {
    const auto holders = std::count_if(words.begin(), words.end(), [&](const auto& item) {
      return item.second.now.contains(interval);
    });
    if (static_cast<std::size_t>(holders) < acks_needed_) {
      problem_(by.name + " lets go what too few gateways hold: " + release.log.to_string() + " " +
               std::to_string(interval.first) + "-" + std::to_string(interval.last));
    }
  }
}

void Audit::note_hash(const SegmentInfo& info, bool gateway) {
  const auto [known, fresh] = hashes_[info.log].try_emplace(info.last, info.after);
  if (!fresh && known->second != info.after) forked_.insert(info.log);
  std::map<Seq, Hash>& at_gateways = public_hashes_[info.log];
  if (gateway) at_gateways.try_emplace(info.last, info.after);
  const auto there = at_gateways.find(info.last);
  if (there != at_gateways.end() && there->second != info.after) public_forks_.insert(info.log);
}

void Audit::opened(const Party& by, const SimStore::Contents& contents) {
  Node& node = nodes_[by.index];
  const std::map<LogId, IntervalSet> before = std::exchange(node.committed, {});
  for (const LogState& state : contents.logs) {
    IntervalSet& set = node.committed[state.id()];
    set = state.held();
    set.insert(state.lost());
    set.insert(state.released());
  }
  for (const auto& [log, set] : before) {
    if (!covers(node.committed[log], set))
      problem_(by.name + " lost what it had committed of " + log.to_string());
  }
}

void Audit::forgot(const Party& by) {
  nodes_[by.index].committed.clear();
  for (auto& [log, words] : words_) {
    if (const auto word = words.find(by.index); word != words.end()) word->second.now = {};
  }
}

std::uint64_t Audit::sent_messages(std::size_t node, const std::string& name) const {
  const auto it = nodes_.find(node);
  if (it == nodes_.end()) return 0;
  const auto count = it->second.sent.find(name);
  return count == it->second.sent.end() ? 0 : count->second;
}

std::uint64_t Audit::sent_messages(std::size_t node) const {
  std::uint64_t total = 0;
  const auto it = nodes_.find(node);
  if (it == nodes_.end()) return 0;
  for (const auto& [name, count] : it->second.sent) total += count;
  return total;
}

std::uint64_t Audit::committed_entries(std::size_t node) const {
  const auto it = nodes_.find(node);
  return it == nodes_.end() ? 0 : it->second.entries;
}

}  // namespace dunlin::simulation
