#include "tests/fuzz/fake_store.h"

#include "common/base/check.h"
#include "common/codec/segment_codec.h"

namespace dunlin::fuzz {

FakeStore::Log& FakeStore::log(const LogId& id) {
  return logs_.try_emplace(id, Log{LogState(id), {}, {}}).first->second;
}

std::vector<WriteOutcome> FakeStore::commit(const replication::Write& write) {
  std::vector<WriteOutcome> outcomes;
  for (const SegmentRecord& segment : write.segments) outcomes.push_back(store(segment));
  for (const Acked& acked : write.acks) log(acked.log).state.acknowledge(acked.acked);
  for (const Release& gone : write.releases) release(gone);
  return outcomes;
}

WriteOutcome FakeStore::store(const SegmentRecord& segment) {
  const SegmentInfo& info = segment.info;
  const Result<SegmentHeader> header = parse_segment(*segment.bytes);
  DUNLIN_CHECK(header.ok() && header->log == info.log);
  const Result<std::vector<Hash>> hashes = entry_hashes(*header);
  DUNLIN_CHECK(hashes.ok() && hashes->back() == info.after);
  Log& at = log(info.log);
  for (Seq seq = info.first; seq <= info.last; ++seq) {
    const auto held = at.hashes.find(seq);
    const bool same = held == at.hashes.end() || held->second == (*hashes)[seq - info.first];
    if (!same) return {WriteOutcome::Kind::fork, seq, false};
  }
  const LogState::Fit fit = at.state.fit(info);
  if (fit == LogState::Fit::fork) return {WriteOutcome::Kind::fork, info.first, false};
  if (fit == LogState::Fit::covered) return {WriteOutcome::Kind::duplicate, 0, false};
  at.state.admit(info);
  for (Seq seq = info.first; seq <= info.last; ++seq) at.hashes[seq] = (*hashes)[seq - info.first];
  at.segments.insert_or_assign(info.first, segment);
  if (info.log.node == self_ && info.log.epoch == epoch_) {
    own_readings_ever_ += info.readings;
    own_hlc_ = std::max(own_hlc_, info.hlc_last);
  }
  apply_control(segment);
  return {};
}

void FakeStore::apply_control(const SegmentRecord& segment) {
  const LogId& id = segment.info.log;
  const bool own = id.node == self_ && id.epoch == epoch_;
  for (const Entry& entry : segment.control) {
    for (const Op& op : entry.ops) {
      if (const auto* open = std::get_if<Open>(&op)) {
        nodes_[id.node] = {open->public_key, open->name};
      } else if (const auto* define = std::get_if<Define>(&op)) {
        if (own) own_streams_.push_back(*define);
      } else if (const auto* lost = std::get_if<Lost>(&op)) {
        log({id.node, id.epoch, lost->track}).state.declare_lost(entry.seq, lost->ranges);
        if (own) own_lost_[lost->track] = *lost;
      }
    }
  }
}

void FakeStore::release(const Release& release) {
  Log& at = log(release.log);
  std::erase_if(at.segments, [&](const auto& item) {
    const SegmentInfo& info = item.second.info;
    return info.first >= release.interval.first && info.last <= release.interval.last;
  });
  at.state.release(release.interval, release.before, release.after);
}

std::vector<StoredSegment> FakeStore::read(const LogId& id, Interval wanted,
                                           std::uint64_t bytes_max) const {
  std::vector<StoredSegment> found;
  const auto at = logs_.find(id);
  if (at == logs_.end()) return found;
  std::uint64_t bytes = 0;
  for (auto it = at->second.segments.rbegin(); it != at->second.segments.rend(); ++it) {
    const SegmentInfo& info = it->second.info;
    if (info.last < wanted.first || info.first > wanted.last) continue;
    bytes += it->second.bytes->size();
    if (!found.empty() && bytes > bytes_max) break;
    found.push_back({info.interval(), *it->second.bytes});
  }
  return found;
}

std::vector<OldSegment> FakeStore::oldest(const LogId& id, std::uint64_t bytes_min) const {
  std::vector<OldSegment> found;
  const auto at = logs_.find(id);
  if (at == logs_.end()) return found;
  std::uint64_t bytes = 0;
  for (const auto& [first, segment] : at->second.segments) {
    if (!found.empty() && bytes >= bytes_min) break;
    const SegmentInfo& info = segment.info;
    bytes += segment.bytes->size();
    found.push_back(
        {{id, info.interval(), info.before, info.after}, info.readings, segment.bytes->size()});
  }
  return found;
}

replication::ReplicaStart FakeStore::start() const {
  replication::ReplicaStart start{epoch_, {}, nodes_, own_streams_, {}, own_hlc_};
  for (const auto& [id, at] : logs_) start.logs.push_back(at.state);
  for (const auto& [track, lost] : own_lost_) start.own_lost.push_back(lost);
  return start;
}

replication::StorageUsed FakeStore::used() const {
  replication::StorageUsed used{0, 1ULL << 40, {}};
  for (const auto& [id, at] : logs_) {
    std::uint64_t bytes = 0;
    for (const auto& [first, segment] : at.segments) bytes += segment.bytes->size();
    used.bytes += bytes;
    if (id.node == self_ && id.epoch == epoch_) used.own[id.track] = bytes;
  }
  return used;
}

std::vector<LogId> FakeStore::logs() const {
  std::vector<LogId> ids;
  for (const auto& [id, at] : logs_) ids.push_back(id);
  return ids;
}

IntervalSet FakeStore::settled(const LogId& id) const {
  const auto at = logs_.find(id);
  if (at == logs_.end()) return {};
  IntervalSet set = at->second.state.held();
  set.insert(at->second.state.released());
  set.insert(at->second.state.lost());
  return set;
}

Seq FakeStore::head(const LogId& id) const {
  const auto at = logs_.find(id);
  return at == logs_.end() ? 0 : at->second.state.head();
}

}  // namespace dunlin::fuzz
