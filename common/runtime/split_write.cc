#include "common/runtime/split_write.h"

#include <utility>

namespace dunlin::runtime {

using replication::Write;
using replication::WriteFinished;

SplitWrite::SplitWrite(Write write, const storage::Placement& placement, std::size_t shards)
    : token_(write.token) {
  const auto part = [&](std::size_t shard) -> Write& {
    Write& each = parts_[shard];
    each.token = write.token;
    each.lane = write.lane;
    return each;
  };
  for (SegmentRecord& segment : write.segments) {
    const std::size_t shard = placement.of(segment.info.log.node);
    shard_of_.push_back(shard);
    for (const Entry& entry : segment.control) {
      for (const Op& op : entry.ops) {
        const auto* revoke = std::get_if<Revoke>(&op);
        if (revoke == nullptr || !placement.is_authority(segment.info.log.node)) continue;
        for (std::size_t other = 0; other < shards; ++other) {
          if (other != shard) part(other).revocations.emplace_back(entry.hlc, *revoke);
        }
      }
    }
    part(shard).segments.push_back(std::move(segment));
  }
  for (Release& release : write.releases)
    part(placement.of(release.log.node)).releases.push_back(std::move(release));
  for (Acked& acked : write.acks)
    part(placement.of(acked.log.node)).acks.push_back(std::move(acked));
  for (Rollback& rollback : write.rollbacks)
    part(placement.of(rollback.log.node)).rollbacks.push_back(std::move(rollback));
  for (KnownNode& member : write.members)
    part(placement.of(member.node)).members.push_back(std::move(member));
  for (const Sighting& sighting : write.sightings)
    part(placement.of(sighting.node)).sightings.push_back(sighting);
  if (!write.refused.empty()) part(0).refused = std::move(write.refused);
  if (write.epoch) part(0).epoch = write.epoch;
  if (parts_.empty()) part(0);
  unfinished_ = parts_.size();
}

void SplitWrite::finished(std::size_t shard, Result<std::vector<WriteOutcome>> outcomes) {
  unfinished_ -= 1;
  if (outcomes.ok()) {
    outcomes_[shard] = *std::move(outcomes);
  } else if (!error_) {
    error_ = outcomes.error();
  }
}

std::optional<WriteFinished> SplitWrite::answer() const {
  if (unfinished_ > 0) return std::nullopt;
  if (error_) return WriteFinished{token_, *error_};
  std::map<std::size_t, std::size_t> next;
  std::vector<WriteOutcome> all;
  for (const std::size_t shard : shard_of_) all.push_back(outcomes_.at(shard).at(next[shard]++));
  return WriteFinished{token_, std::move(all)};
}

}  // namespace dunlin::runtime
