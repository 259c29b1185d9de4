#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "common/base/time.h"
#include "common/log/segment.h"

namespace dunlin::storage {

// Which stored segments become one.
//
// A device that flushes every reading stores a signature, a header and a row of the database with
// each. Segments that follow one another without gap or overlap can be one segment under the
// signature of the last; no hash changes. When to do it is a bargain: soon, and the same bytes are
// written over and over; late, and the disk is full of signatures. We let `fan_in` small segments
// gather at the end of a log and then merge backwards, taking in an older segment only when it is
// no heavier than what is newer: sizes grow as in a binary counter, so each reading is rewritten
// at most log2(4096 / fan_in) + 1 times, and a log ends in at most a dozen segments of medium size
// behind its large ones. Runs that cannot grow, since a gap or a large segment follows them, merge
// at an eighth of that. Own segments merge with those that gateways hold as well, or not yet.
struct CompactionPolicy {
  std::size_t fan_in = 64;
  // No segment gets longer than this in the time of its readings: retention by age lets whole
  // segments go. Absent = no bound.
  std::map<Track, Duration> span_max = {};
};

// A stored segment as its index columns tell it.
struct StoredSpan {
  std::int64_t id = 0;  // grows in the order of arrival
  Seq first = 0;
  Seq last = 0;
  std::uint64_t bytes = 0;  // encoded
  std::uint64_t readings = 0;
  UtcMicros time_min = 0;
  UtcMicros time_max = -1;
  // Of an own log: enough gateways signed for it, or for nothing behind it either. What lies
  // between is on its way there, and what is only partly acknowledged could neither be released nor
  // declared lost as it is.
  bool acked = false;
  bool on_its_way = false;

  std::uint64_t entries() const { return last - first + 1; }
  // Far from full, whichever limit it would meet.
  bool small() const;
};

// What to do in a window of a log.
struct MergeChoice {
  std::size_t begin = 0;  // merge [begin, end); nothing when they are equal
  std::size_t end = 0;
  Seq resume = 0;  // the next look starts with the segment that begins here
};

// `spans` are some segments of a log that follow one another, by (first, last), none of them inside
// another; `tail`: the last of them ends the log. Pure and O(n).
MergeChoice choose_merge(std::span<const StoredSpan> spans, bool tail, std::size_t fan_in,
                         std::optional<Duration> span_max);

// The segments, by (first, last), that are contained in another one. A peer that merged what it has
// sends more than was missing.
std::vector<std::size_t> contained(std::span<const StoredSpan> spans);

// Which logs are worth a look, and from where.
class CompactionQueue {
 public:
  explicit CompactionQueue(std::size_t fan_in) : fan_in_(fan_in) {}

  // A log as it is when the database is opened.
  void add(const LogId& log, std::uint64_t segments, std::uint64_t bytes);
  void stored(const LogId& log, Seq first, std::uint64_t bytes);
  // Nothing is stored beyond `last` any more.
  void rolled_back(const LogId& log, Seq last);

  // A log that has something to merge, perhaps; null for none. Valid until the next call.
  const LogId* next() const { return due_.empty() ? nullptr : &*due_.begin(); }
  std::size_t due() const { return due_.size(); }
  Seq from(const LogId& log) { return marks_[log].from; }
  // The look at `log` goes on from `resume`, or is over and the next one starts there.
  void looked(const LogId& log, Seq resume, bool over);

 private:
  struct Mark {
    Seq from = 1;
    std::size_t fresh = 0;  // small segments since the last look
  };
  std::size_t fan_in_;
  std::map<LogId, Mark> marks_;  // of logs in which something was stored, or is due
  std::set<LogId> due_;
};

}  // namespace dunlin::storage
