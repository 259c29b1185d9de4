#include "common/runtime/disk.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "common/base/check.h"
#include "common/base/wall_clock.h"
#include "common/telemetry/log.h"

namespace dunlin::runtime {

namespace {

using replication::ListOldest;
using replication::Read;
using replication::Write;
using std::chrono::steady_clock;

constexpr auto kStopCheckpoint = std::chrono::milliseconds(250);  // waits for readers
constexpr auto kLookEvery = std::chrono::seconds(1);
constexpr auto kLookIdle = std::chrono::seconds(10);  // while nothing is written
constexpr std::uint64_t kRetireShare = 32;            // of a bound goes at a time
constexpr int kRestsPerStep = 40;
constexpr Duration kRestMax = std::chrono::seconds(1);
constexpr std::size_t kLogsDueMax = 64;                   // of a disk that has no time for them
constexpr auto kCompactAgain = std::chrono::seconds(60);  // after a step that failed

std::uint64_t free_bytes(const std::string& path) {
  struct statvfs info {};
  if (::statvfs(path.c_str(), &info) != 0) return 0;
  return std::uint64_t{info.f_bavail} * info.f_frsize;
}

std::uint64_t bytes_of(const Held& held, Track track) {
  const auto found = held.tracks.find(track);
  return found == held.tracks.end() ? 0 : found->second;
}

// What has to go at a time of so much more than a bound.
std::uint64_t excess_of(std::uint64_t bytes, std::uint64_t bound) {
  return bytes > bound ? std::max(bytes - bound, bound / kRetireShare) : 0;
}

// How much of it a shard gives, by what it has of all.
std::uint64_t share_of(std::uint64_t excess, std::uint64_t here, std::uint64_t all) {
  return here == all
             ? excess
             : static_cast<std::uint64_t>(static_cast<double>(excess) * static_cast<double>(here) /
                                          static_cast<double>(all));
}

// As the kernel counts what this process caused to be written.
std::uint64_t bytes_written() {
  std::ifstream file("/proc/self/io");
  std::string key;
  std::uint64_t value = 0;
  while (file >> key >> value) {
    if (key == "write_bytes:") return value;
  }
  return 0;
}

}  // namespace

Duration compaction_rest(Duration step, std::size_t logs_due) {
  const auto share = static_cast<Duration::rep>(std::max<std::size_t>(logs_due, 1));
  return std::min(kRestsPerStep * step, kRestMax) / share;
}

Disk::Disk(DiskOptions options, storage::LogStore store, Verifier& verifier, Reply reply,
           Together together)
    : options_(std::move(options)),
      file_(store.options()),
      store_(std::move(store)),
      verifier_(verifier),
      reply_(std::move(reply)),
      together_(std::move(together)),
      epoch_(store_->epoch()) {
  thread_ = std::thread([this] { run(); });
}

Disk::~Disk() {
  stop();
}

void Disk::submit(replication::Output request) {
  {
    const std::lock_guard lock(mutex_);
    if (auto* write = std::get_if<Write>(&request)) {
      requests_.push(std::move(*write));
    } else if (auto* read = std::get_if<Read>(&request)) {
      requests_.push(std::move(*read));
    } else {
      requests_.push(std::move(std::get<ListOldest>(request)));
    }
  }
  wake_.notify_one();
}

void Disk::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

DiskState Disk::state() const {
  const std::lock_guard lock(mutex_);
  DiskState state = state_;
  state.waiting = requests_.size();
  state.waiting_bytes = requests_.bytes();
  return state;
}

void Disk::run() {
  look_after_space(true);
  while (true) {
    std::deque<DiskQueue::Request> round;
    {
      std::unique_lock lock(mutex_);
      auto until = steady_clock::now() + (written_since_look_ > 0 ? kLookEvery : kLookIdle);
      if (store_ && store_->compactions_due() > 0) until = std::min(until, compact_at_);
      wake_.wait_until(lock, until, [this] { return stopping_ || !requests_.empty(); });
      if (requests_.empty() && stopping_) break;
      round = requests_.next_round();
    }
    const bool idle = round.empty();
    handle(std::move(round));
    look_after_space(false);
    if (idle || (store_ && store_->compactions_due() > kLogsDueMax)) compact();
  }
  // So that a copy of the file alone is whole. What a reader holds up, the next start does.
  if (store_) (void)store_->checkpoint(kStopCheckpoint);
}

void Disk::handle(std::deque<DiskQueue::Request> round) {
  std::vector<Write> batch;
  const auto finish_batch = [&] {
    if (!batch.empty()) write(std::exchange(batch, {}));
  };
  for (DiskQueue::Request& request : round) {
    if (auto* item = std::get_if<Write>(&request)) {
      batch.push_back(std::move(*item));
      continue;
    }
    finish_batch();
    const Error closed{Errc::io, "the database is not open"};
    if (const auto* read = std::get_if<Read>(&request)) {
      reply_(replication::ReadFinished{
          read->token, store_ ? store_->read(read->log, read->interval, read->bytes_max)
                              : Result<std::vector<StoredSegment>>(closed)});
    } else {
      const auto& list = std::get<ListOldest>(request);
      reply_(replication::OldestListed{list.token,
                                       store_ ? store_->oldest(list.log, list.bytes_min, list.from)
                                              : Result<std::vector<OldSegment>>(closed)});
    }
  }
  finish_batch();
}

Result<std::vector<WriteOutcome>> Disk::commit(const std::vector<Write>& batch) {
  if (!store_) reopen_after({Errc::io, "the database is not open"});
  if (!store_) return {Errc::io, "the database cannot be opened"};
  Changes changes = batch.front();
  for (std::size_t i = 1; i < batch.size(); ++i) changes.append(batch[i]);
  if (options_.refuse_below_free > 0 && (!changes.segments.empty() || !changes.refused.empty()) &&
      room() < options_.refuse_below_free) {
    return {Errc::storage_full, "less free space than storage.min_free_bytes"};
  }
  if (changes.epoch) next_epoch_ = changes.epoch;
  Result<std::vector<WriteOutcome>> outcomes = store_->commit(changes);
  if (outcomes.ok() && changes.epoch) epoch_ = *changes.epoch;
  return outcomes;
}

// Pages of the database that hold nothing are as good as free space, and all that letting go of
// segments brings back. What the WAL may still grow by is spoken for: the very write that lets go
// of segments takes some of it.
std::uint64_t Disk::room() {
  const Result<std::uint64_t> spare = store_->spare_bytes();
  std::error_code none;
  const std::uintmax_t wal = std::filesystem::file_size(file_.path + "-wal", none);
  const std::uint64_t grown = none ? 0 : wal;
  const std::uint64_t bound = file_.wal_bytes_max;
  const std::uint64_t reserved = bound - std::min(bound, grown);
  const std::uint64_t free = free_bytes(file_.path) + (spare.ok() ? *spare : 0);
  return free - std::min(free, reserved);
}

void Disk::write(std::vector<Write> batch) {
  Result<std::vector<WriteOutcome>> outcomes = commit(batch);
  // Nothing is tried again on a handle whose fsync failed.
  const bool damaged = !outcomes.ok() && (outcomes.error().code == Errc::io ||
                                          outcomes.error().code == Errc::corrupt);
  if (damaged) reopen_after(outcomes.error());
  const auto stores = [](const Write& item) { return !item.segments.empty(); };
  const auto storing = std::count_if(batch.begin(), batch.end(), stores);
  const bool all_store = static_cast<std::size_t>(storing) == batch.size();
  if (!outcomes.ok() && batch.size() > 1 &&
      (outcomes.error().code != Errc::storage_full || !all_store)) {
    // One of them may be at fault: the others must not suffer for it. Those that only let go of
    // something are what a full disk needs.
    for (Write& item : batch) write({std::move(item)});
    return;
  }
  if (!outcomes.ok() || storing > 0) {
    const std::lock_guard lock(mutex_);
    state_.writable = outcomes.ok();
    // What was refused for want of room may be taken as soon as there is some.
    last_write_ok_ = outcomes.ok() || (outcomes.error().code == Errc::storage_full &&
                                       options_.refuse_below_free > 0);
  }
  std::size_t next = 0;
  for (const Write& item : batch) {
    if (!outcomes.ok()) {
      reply_(replication::WriteFinished{item.token, outcomes.error()});
      continue;
    }
    const auto begin = outcomes->begin() + static_cast<std::ptrdiff_t>(next);
    next += item.segments.size();
    const auto end = outcomes->begin() + static_cast<std::ptrdiff_t>(next);
    reply_(replication::WriteFinished{item.token, std::vector<WriteOutcome>(begin, end)});
    for (const SegmentRecord& segment : item.segments) written_since_look_ += segment.bytes->size();
  }
}

// After a failed fsync nobody knows what the page cache holds: the handle is given up, and what the
// file really says is read anew.
void Disk::reopen_after(const Error& error) {
  store_.reset();
  if (error.code == Errc::corrupt) storage::LogStore::suspect(file_.path);
  Result<storage::LogStore> store =
      storage::LogStore::open(file_, options_.node, verifier_, nullptr);
  if (!store.ok() && store.error().code == Errc::corrupt) {
    log::error("database_damaged",
               {{"error", store.error().message()}, {"next", "a new start salvages it"}});
    detail::fail_check(__FILE__, __LINE__, "the database is damaged; restart");
  }
  if (!store.ok()) {
    log::error("database_reopen_failed",
               {{"after", error.message()}, {"error", store.error().message()}});
    return;
  }
  if (store->epoch() == next_epoch_) epoch_ = store->epoch();
  if (store->epoch() != epoch_) {
    // Somebody replaced the file: the replica in memory would write into the wrong log.
    detail::fail_check(__FILE__, __LINE__, "the database was replaced while running; restart");
  }
  log::warn("database_reopened", {{"after", error.message()}});
  store_ = *std::move(store);
}

void Disk::compact() {
  const auto begin = steady_clock::now();
  if (!store_ || store_->compactions_due() == 0 || begin < compact_at_) return;
  const Result<std::uint64_t> merged = store_->compact_step();
  const auto end = steady_clock::now();
  const auto step = std::chrono::duration_cast<Duration>(end - begin);
  compact_at_ =
      end + (merged.ok() ? compaction_rest(step, store_->compactions_due()) : kCompactAgain);
  if (merged.ok()) {
    const std::lock_guard lock(mutex_);
    state_.segments_merged += *merged;
    return;
  }
  log::warn("compaction_failed", {{"error", merged.error().message()}});
  if (merged.error().code != Errc::storage_full && merged.error().code != Errc::backpressure)
    reopen_after(merged.error());
}

std::vector<OldSegment> Disk::due_for_retirement(const Held& here, const Held& all) {
  std::vector<OldSegment> due;
  const auto add = [&](Result<std::vector<OldSegment>> found) {
    if (found.ok()) std::move(found->begin(), found->end(), std::back_inserter(due));
    if (!found.ok()) log::warn("retention_failed", {{"error", found.error().message()}});
  };
  if (!options_.retain_age.empty()) {
    for (const LogId& id : store_->logs()) {
      const auto age = options_.retain_age.find(id.track);
      if (age != options_.retain_age.end())
        add(store_->older_than(id, utc_now() - age->second.count()));
    }
  }
  const bool aged = !due.empty();  // makes room, too
  for (const auto& [track, bound] : options_.retain_track_bytes) {
    add(store_->overtaken(track));
    const std::uint64_t bytes = bytes_of(all, track);
    if (const std::uint64_t excess = excess_of(bytes, bound); !aged && excess > 0)
      add(store_->first_arrived(share_of(excess, bytes_of(here, track), bytes), track));
  }
  if (options_.retain_bytes > 0) add(store_->overtaken());
  if (const std::uint64_t excess = excess_of(all.bytes, options_.retain_bytes);
      !aged && options_.retain_bytes > 0 && excess > 0)
    add(store_->first_arrived(share_of(excess, here.bytes, all.bytes)));
  return due;
}

void Disk::look_after_space(bool force) {
  const auto now = steady_clock::now();
  if (!force && written_since_look_ < options_.look_bytes && now - looked_at_ < kLookEvery) return;
  if (!store_) return;
  looked_at_ = now;
  written_since_look_ = 0;
  const Result<std::uint64_t> bytes = store_->used_bytes();
  const Result<std::uint64_t> refused = store_->quarantine().count();
  const std::uint64_t left = room();
  const std::uint64_t written = bytes_written();
  {
    const std::lock_guard lock(mutex_);
    if (bytes.ok()) state_.database_bytes = *bytes;
    if (refused.ok()) state_.quarantined = *refused;
    state_.disk_free = free_bytes(file_.path);
    state_.bytes_written = written;
    // Nobody may write for long: what the next write would find is said before.
    state_.writable = last_write_ok_ && left >= options_.refuse_below_free;
  }
  if (!bytes.ok()) return;
  const Held here{*bytes, store_->track_bytes()};
  const Held all = together_ ? together_(here) : here;
  replication::StorageUsed used{all.bytes, left, written, {}};
  for (const LogId& id : store_->logs_of(options_.node)) {
    if (id.track != kControlTrack) used.own[id] = store_->log_bytes(id);
  }
  reply_(std::move(used));
  std::vector<OldSegment> due = due_for_retirement(here, all);
  if (!due.empty()) reply_(replication::Retire{std::move(due)});
  Result<std::vector<Quarantined>> released = store_->quarantine().take_released();
  if (!released.ok()) log::warn("quarantine_failed", {{"error", released.error().message()}});
  if (released.ok() && !released->empty()) reply_(replication::Reconsider{*std::move(released)});
}

}  // namespace dunlin::runtime
