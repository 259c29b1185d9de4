#include "common/replication/lineage.h"

#include <algorithm>

#include "common/codec/segment_codec.h"

namespace dunlin::replication {

Lineage::Branch Lineage::of(const Moment& now, const LogId& log, Seq head, const Hash& hash) {
  const LogState& state = c_.table.log(log).state;
  const auto compare = [&](const Hash& own) {
    return own == hash ? Branch::ours : Branch::another;
  };
  const Ends& ends = ends_[log];
  if (const auto end = ends.find(head); end != ends.end())
    return end->second ? compare(*end->second) : Branch::ours;
  if (head > state.head()) return Branch::another;
  if (head == state.head()) return compare(state.head_hash());
  if (const Hash* after = state.hash_after(head)) return compare(*after);
  if (const Hash* before = state.hash_before(head + 1)) return compare(*before);
  const bool asked = std::any_of(readings_.begin(), readings_.end(),
                                 [&](const auto& item) { return item.second.log == log; });
  if (asked || !reads_.take(now.mono)) return Branch::unknown;
  const Token token = c_.next_token();
  readings_[token] = {log, head};
  c_.outputs.push_back(Read{token, log, {head, head}, 0});
  return Branch::unknown;
}

void Lineage::written(const SegmentInfo& segment) {
  remember(segment.log, segment.last, segment.after);
}

std::optional<bool> Lineage::on_read_finished(const ReadFinished& finished) {
  const auto it = readings_.find(finished.token);
  if (it == readings_.end()) return std::nullopt;
  const Reading reading = it->second;
  readings_.erase(it);
  if (!finished.segments.ok()) return false;
  if (finished.segments->empty()) return remember(reading.log, reading.seq, {}), true;
  const Result<SegmentHeader> header = parse_segment(finished.segments->front().bytes);
  if (!header.ok()) return false;
  const Result<EntryHashes> hashes = entry_hashes(*header);
  if (!hashes.ok() || !hashes->covers(reading.seq)) return false;
  remember(reading.log, reading.seq, hashes->at(reading.seq));
  return true;
}

void Lineage::remember(const LogId& log, Seq seq, std::optional<Hash> hash) {
  Ends& ends = ends_[log];
  ends[seq] = hash;
  if (ends.size() > kEndsMax)
    ends.erase(ends.begin()->first == seq ? std::next(ends.begin()) : ends.begin());
}

}  // namespace dunlin::replication
