#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "common/log/log_state.h"

namespace dunlin::replication {

// When this node first learned of the sequence numbers of a log, for lag. Answers are exact while
// few heads are open; beyond kMarks they err towards the older time.
class HeadTimes {
 public:
  void learned(Seq head, Instant now);
  // When an entry was first heard of; nothing for one that was not.
  std::optional<Instant> of(Seq seq) const;
  void forget_up_to(Seq complete);

 private:
  static constexpr std::size_t kMarks = 64;
  struct Mark {
    Seq head;
    Instant at;
  };
  std::vector<Mark> marks_;  // ascending in both; without memory while there are none
};

// What the replica knows of one log.
struct LogRecord {
  LogState state;
  Seq claimed = 0;  // a peer says the head is here; a hint that expires
  Instant claimed_at{};
  IntervalSet writing;  // on the way to storage
  HeadTimes times;
  bool forked = false;

  // The newest entry known to exist.
  Seq known_head() const { return std::max(state.head(), claimed); }
  // What is neither here nor on the way, lost or released, newest known head included.
  IntervalSet wanted() const;
};

struct NodeRecord {
  Bytes public_key;
  std::string name;
  Bytes certificate = {};  // at the start, as stored: Members has it then
};

// Every log and node this replica knows, in a fixed order so that runs repeat.
struct LogTable {
  std::map<LogId, LogRecord> logs;
  std::map<NodeId, NodeRecord> nodes;

  // Logs that may have changed, for who looks at that; only while somebody does.
  bool watched = false;
  std::set<LogId> touched;
  void touch(const NodeId& node);  // all its logs

  LogRecord& log(const LogId& id);  // to be changed, and made when unknown
  const LogRecord* find(const LogId& id) const;
  // The half-open range of a node's logs.
  std::pair<std::map<LogId, LogRecord>::iterator, std::map<LogId, LogRecord>::iterator> of(
      const NodeId& node);
};

}  // namespace dunlin::replication
