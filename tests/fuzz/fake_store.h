#pragma once

#include <map>
#include <vector>

#include "common/log/stored.h"
#include "common/replication/replica.h"

namespace dunlin::fuzz {

// The log store of one node in memory: what a commit() returned survives a restart of its replica.
class FakeStore {
 public:
  FakeStore(NodeId self, Epoch epoch) : self_(self), epoch_(epoch) {}

  std::vector<WriteOutcome> commit(const replication::Write& write);
  // Whole segments with entries of `wanted`, newest first, up to `bytes_max` but at least one.
  std::vector<StoredSegment> read(const LogId& log, Interval wanted, std::uint64_t bytes_max) const;
  // From the oldest on, up to `bytes_min` bytes in sum but at least one.
  std::vector<OldSegment> oldest(const LogId& log, std::uint64_t bytes_min) const;

  replication::ReplicaStart start() const;
  replication::StorageUsed used() const;

  std::vector<LogId> logs() const;
  // What is or once was durable here, or was declared lost.
  IntervalSet settled(const LogId& log) const;
  Seq head(const LogId& log) const;
  std::uint64_t own_readings_ever() const { return own_readings_ever_; }

 private:
  struct Log {
    LogState state;
    std::map<Seq, Hash> hashes;             // of every entry that was ever stored
    std::map<Seq, SegmentRecord> segments;  // by their first entry; some overlap
  };
  Log& log(const LogId& id);
  WriteOutcome store(const SegmentRecord& segment);
  void apply_control(const SegmentRecord& segment);
  void release(const Release& release);

  NodeId self_;
  Epoch epoch_;
  std::map<LogId, Log> logs_;
  std::map<NodeId, replication::NodeRecord> nodes_;
  std::vector<Define> own_streams_;
  std::map<Track, Lost> own_lost_;
  Hlc own_hlc_;
  std::uint64_t own_readings_ever_ = 0;
};

}  // namespace dunlin::fuzz
