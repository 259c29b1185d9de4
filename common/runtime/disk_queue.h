#pragma once

#include <cstdint>
#include <deque>
#include <variant>

#include "common/replication/io.h"

namespace dunlin::runtime {

// What waits for the disk, and in which order it is done: in rounds. A round is everything live
// that waits, in its order, and then a little of the bulk lane: writes of 256 KiB, which share the
// last commit, and one read. So a live request waits for one short round at most, and the bulk lane
// goes on however much is live. A Write that stands alone is a round by itself. A plain value: Disk
// and the simulation give it their threads and times.
class DiskQueue {
 public:
  using Request = std::variant<replication::Write, replication::Read, replication::ListOldest>;

  void push(Request request);
  bool empty() const { return live_.empty() && bulk_writes_.empty() && bulk_reads_.empty(); }
  std::deque<Request> next_round();
  std::size_t size() const { return live_.size() + bulk_writes_.size() + bulk_reads_.size(); }
  std::size_t bytes() const { return bytes_; }  // of segments to be written
  void clear() { *this = {}; }

 private:
  std::deque<Request> live_;
  std::deque<Request> bulk_writes_;
  std::deque<Request> bulk_reads_;
  std::size_t bytes_ = 0;
};

}  // namespace dunlin::runtime
