#include "common/runtime/disks.h"

#include <algorithm>
#include <utility>

namespace dunlin::runtime {

using replication::Input;
using replication::ListOldest;
using replication::Output;
using replication::Read;
using replication::StorageUsed;
using replication::Write;
using replication::WriteFinished;

Disks::Disks(const DiskOptions& options, std::vector<storage::LogStore> stores,
             storage::Placement placement, Verifier& verifier, Disk::Reply reply)
    : placement_(std::move(placement)), reply_(std::move(reply)), held_(stores.size()) {
  for (std::size_t shard = 0; shard < stores.size(); ++shard) {
    disks_.push_back(std::make_unique<Disk>(
        options, std::move(stores[shard]), verifier,
        [this, shard](Input input) { on_reply(shard, std::move(input)); },
        [this, shard](const Held& held) { return together(shard, held); }));
  }
}

void Disks::submit(Output request) {
  if (auto* item = std::get_if<Write>(&request)) {
    write(std::move(*item));
  } else if (const auto* read = std::get_if<Read>(&request)) {
    disks_[placement_.of(read->log.node)]->submit(std::move(request));
  } else {
    const auto& list = std::get<ListOldest>(request);
    disks_[placement_.of(list.log.node)]->submit(std::move(request));
  }
}

void Disks::write(Write write) {
  if (disks_.size() == 1) return disks_.front()->submit(std::move(write));
  const replication::Token token = write.token;
  SplitWrite split(std::move(write), placement_, disks_.size());
  std::map<std::size_t, Write> parts = split.take_parts();
  if (parts.size() > 1) {
    const std::lock_guard lock(mutex_);
    splits_.emplace(token, std::move(split));
  }
  for (auto& [shard, part] : parts) disks_[shard]->submit(std::move(part));
}

void Disks::on_reply(std::size_t shard, Input input) {
  // The node's own logs are in the first.
  if (shard > 0 && std::holds_alternative<StorageUsed>(input)) return;
  if (auto* finished = std::get_if<WriteFinished>(&input)) {
    const std::lock_guard lock(mutex_);
    if (const auto split = splits_.find(finished->token); split != splits_.end()) {
      split->second.finished(shard, std::move(finished->outcomes));
      std::optional<WriteFinished> whole = split->second.answer();
      if (!whole) return;
      splits_.erase(split);
      *finished = *std::move(whole);
    }
  }
  reply_(std::move(input));
}

Held Disks::together(std::size_t shard, const Held& held) {
  const std::lock_guard lock(mutex_);
  held_[shard] = held;
  Held all;
  for (const Held& each : held_) {
    all.bytes += each.bytes;
    for (const auto& [track, bytes] : each.tracks) all.tracks[track] += bytes;
  }
  return all;
}

void Disks::stop() {
  for (const auto& disk : disks_) disk->stop();
}

DiskState Disks::state() const {
  DiskState all = disks_.front()->state();
  for (auto disk = disks_.begin() + 1; disk != disks_.end(); ++disk) {
    const DiskState each = (*disk)->state();
    all.writable = all.writable && each.writable;
    all.quarantined += each.quarantined;
    all.database_bytes += each.database_bytes;
    all.segments_merged += each.segments_merged;
    all.waiting += each.waiting;
    all.waiting_bytes += each.waiting_bytes;
  }
  return all;
}

}  // namespace dunlin::runtime
