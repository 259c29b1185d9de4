#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <variant>

#include "common/runtime/disk_queue.h"
#include "common/runtime/node_view.h"
#include "common/storage/log_store.h"

namespace dunlin::runtime {

// What one shard of a database, or all of them, hold.
struct Held {
  std::uint64_t bytes = 0;                     // of the database
  std::map<Track, std::uint64_t> tracks = {};  // of stored segments
};

struct DiskOptions {
  NodeId node;
  // A gateway stops storing, and so acknowledging, below this much free space; 0 = never.
  std::uint64_t refuse_below_free = 0;
  // Bounds on what all shards hold: each lets go of its share of what is too much.
  std::uint64_t retain_bytes = 0;                     // of the whole database; 0 = unbounded
  std::map<Track, std::uint64_t> retain_track_bytes;  // of stored segments; absent = unbounded
  std::map<Track, Duration> retain_age;               // by track; absent = for ever
  std::uint64_t look_bytes = 512 * 1024;  // space is looked after when this much was written
};

// The thread that may stall on fsync, so that nothing else does. It owns a store. Requests are
// done in the rounds of DiskQueue; writes that follow one another there share a commit. While
// nothing is asked of it, or when more than 64 logs are due, it compacts the store, a step at a
// time: a request waits for one step, which is some milliseconds and a commit.
class Disk {
 public:
  // Both are called on the disk thread.
  using Reply = std::function<void(replication::Input)>;
  using Together = std::function<Held(const Held&)>;  // what all hold, told what this one does

  Disk(DiskOptions options, storage::LogStore store, Verifier& verifier, Reply reply,
       Together together = {});
  ~Disk();

  void submit(replication::Output request);  // Write, Read or ListOldest
  void stop();                               // after what was submitted is done

  DiskState state() const;

 private:
  void run();
  void handle(std::deque<DiskQueue::Request> round);
  void write(std::vector<replication::Write> batch);
  Result<std::vector<WriteOutcome>> commit(const std::vector<replication::Write>& batch);
  std::uint64_t room();  // for more segments
  void reopen_after(const Error& error);
  void look_after_space(bool force);
  void compact();
  std::vector<OldSegment> due_for_retirement(const Held& here, const Held& all);

  DiskOptions options_;
  storage::LogStore::Options file_;
  std::optional<storage::LogStore> store_;
  Verifier& verifier_;
  Reply reply_;
  Together together_;
  Epoch epoch_;                      // the store's
  std::optional<Epoch> next_epoch_;  // of a commit whose end is not known
  bool last_write_ok_ = true;
  std::uint64_t written_since_look_ = 0;
  std::chrono::steady_clock::time_point looked_at_{};
  std::chrono::steady_clock::time_point compact_at_{};

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  DiskQueue requests_;
  bool stopping_ = false;
  DiskState state_;
  std::thread thread_;
};

// The pause after a step of compaction that took so long: 40 times that or a second, shared by the
// logs that are due. Few cost a busy disk little; of many, as on a gateway whose agents flush every
// reading, no one waits for ever.
Duration compaction_rest(Duration step, std::size_t logs_due);

}  // namespace dunlin::runtime
