#pragma once

#include <map>
#include <optional>
#include <span>
#include <vector>

#include "common/log/stored.h"
#include "common/storage/compaction.h"
#include "common/storage/sqlite.h"

namespace dunlin::storage {

// Finds small segments in a LogStore's database and builds the large one that takes their place;
// the store writes it. Reads only. A step looks at 512 segments at most and decodes as much as one
// segment holds when it is written at once, and the segment that was one too many.
class Compactor {
 public:
  explicit Compactor(CompactionPolicy policy)
      : policy_(std::move(policy)), queue_(policy_.fan_in) {}
  Result<void> prepare(Connection& db);

  // What the store does besides.
  void opened(const LogId& log, std::uint64_t segments, std::uint64_t bytes) {
    queue_.add(log, segments, bytes);
  }
  void committed(const Changes& changes, std::span<const WriteOutcome> outcomes);
  // A Release of the segments up to `last` may follow. It names whole segments, so these stay as
  // they are for the next 64 commits. One that comes later finds less to delete, and the next
  // listing names the rest.
  void listed(const LogId& log, Seq last) { listed_[log] = {last, commits_ + kListedCommits}; }

  // A log to look at; null for none.
  const LogId* due() const { return queue_.next(); }
  std::size_t logs_due() const { return queue_.due(); }
  // Leaves the segments of a log that is due as they are.
  void pass(const LogId& log) { queue_.looked(log, queue_.from(log), true); }

  struct Replacement {
    std::vector<StoredSpan> gone;
    StoredSpan into;                      // becomes `merged`: the one that arrived last
    std::optional<SegmentRecord> merged;  // nothing: others contain what is gone
  };
  // The next thing to do in the log that is due, whose row has the id `row`. Nothing when this
  // look found nothing; more may be due. A segment that does not read back stays as it is.
  // `acked`: of an own data log; null for all others.
  Result<std::optional<Replacement>> next(const LogId& log, std::int64_t row,
                                          const IntervalSet* acked);

 private:
  void rolled_back(const LogId& log, Seq last) {
    queue_.rolled_back(log, last);
    listed_.erase(log);
  }

  static constexpr std::uint64_t kListedCommits = 64;
  struct Listed {
    Seq last = 0;
    std::uint64_t until_commit = 0;
  };

  Result<std::vector<StoredSpan>> window(std::int64_t row, Seq from);
  Result<Replacement> merge(const LogId& log, std::span<const StoredSpan> spans);
  Result<Bytes> body(const StoredSpan& span);

  CompactionPolicy policy_;
  CompactionQueue queue_;
  std::map<LogId, Listed> listed_;
  std::uint64_t commits_ = 0;
  Statement select_window_, select_body_;
};

}  // namespace dunlin::storage
