#pragma once

#include <map>
#include <memory>
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
  bool empty() const { return marks_.empty(); }

 private:
  static constexpr std::size_t kMarks = 64;
  struct Mark {
    Seq head;
    Instant at;
  };
  std::vector<Mark> marks_;  // ascending in both; without memory while there are none
};

// So long it is believed that a log goes as far as somebody says.
inline constexpr Duration kClaimLifetime = std::chrono::minutes(15);

// What the replica knows of one log.
class LogRecord {
 public:
  LogState state;  // settle() after a change

  // The newest entry known to exist.
  Seq known_head() const { return std::max(state.head(), claimed()); }
  // The same without what was only claimed, and longer ago.
  Seq known_head(Instant claimed_since) const {
    return pending_ && pending_->claimed_at >= claimed_since ? known_head() : state.head();
  }
  // On the way to storage.
  const IntervalSet& writing() const;
  // What is neither here nor on the way, lost or released, newest known head included.
  IntervalSet wanted() const;
  // What is missing in the log before this was let go somewhere by rule (retention), and may come
  // from nowhere any more; 0: nobody said so.
  Seq let_go_before() const { return pending_ ? pending_->let_go_before : 0; }
  // A gateway that has the log says so.
  void say_let_go(Seq before);
  // When an entry that is not here was first heard of.
  std::optional<Instant> heard_of(Seq seq) const;

  // A peer says the head is here, in place of what was said before; a hint that expires.
  void claim(Seq head, Instant now);
  void forget_claim(Instant before);  // made before that
  void begin_write(Interval entries, Instant now);
  void end_write(Interval entries, Instant now);
  void settle(Instant now);

 private:
  // What there is to know of a log that is not all here. Most are, and have none.
  struct Pending {
    Seq claimed = 0;  // beyond the head
    Instant claimed_at{};
    IntervalSet writing;
    Seq let_go_before = 0;
    HeadTimes times;
  };
  Seq claimed() const { return pending_ ? pending_->claimed : 0; }
  Pending& pending();

  std::unique_ptr<Pending> pending_;
};

struct NodeRecord {
  Bytes public_key;
  std::string name;
  UtcMicros last_seen = 0;  // as storage has it; 0 = nobody knows
};

// Every log and node this replica knows, in a fixed order so that runs repeat.
struct LogTable {
  std::map<LogId, LogRecord> logs;
  std::map<NodeId, NodeRecord> nodes;
  std::set<LogId> forked;  // of which a second branch came

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
