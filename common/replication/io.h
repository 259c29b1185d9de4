#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "common/base/time.h"
#include "common/log/stored.h"
#include "common/replication/messages.h"
#include "common/replication/prepared.h"
#include "common/replication/whereabouts.h"

namespace dunlin::replication {

// The replica's whole world: what goes in, what comes out. Plain values; a driver (runtime::Node or
// the simulation) connects them to a clock, a store and a transport.

using Token = std::uint64_t;   // names a write or read until it finishes
using Ticket = std::uint64_t;  // names an append; grows with each

enum class TopicClass : std::uint8_t { hello, gate, authority, gossip, live, bulk, inbox };
// Of a Hello: whom all in a cell are to know stands apart from those whom its keepers have to know.
inline TopicClass presence_topic(bool keeps_others) {
  return keeps_others ? TopicClass::gate : TopicClass::hello;
}
// The broker keeps the last message of such a topic, for whoever comes later.
inline bool is_retained(TopicClass topic) {
  return topic <= TopicClass::authority;
}

// ---- inputs ----

// Readings from this device. Durable(ticket) follows when they are on the disk.
struct Append {
  StreamSchema schema;
  Rows rows;
  bool since_boot = false;  // times count from the machine's boot: its UTC is unknown
  Ticket ticket = 0;        // greater than any before
};
struct Flush {};  // cut what is pending into entries now
struct LinkUp {};
struct LinkDown {};
struct Received {
  TopicClass topic = TopicClass::gossip;
  NodeId topic_node;  // who writes there, as far as the broker tells; `authority`: whose log it is
  Bytes payload;
  bool retained = false;  // kept by the broker, who knows since when
  CellIndex cell = 0;
  Prepared prepared = {};  // of `payload`, when somebody had time for it
};
struct WriteFinished {
  Token token = 0;
  Result<std::vector<WriteOutcome>> outcomes;  // one per segment of the Write
};
struct ReadFinished {
  Token token = 0;
  Result<std::vector<StoredSegment>> segments;
};
struct OldestListed {
  Token token = 0;
  Result<std::vector<OldSegment>> segments;
};
struct StorageUsed {
  std::uint64_t bytes = 0;             // what the database holds now
  std::uint64_t disk_free = 0;         // there, with what its files hold free
  std::uint64_t written = 0;           // to disks, by this process
  std::map<LogId, std::uint64_t> own;  // stored segments of own data tracks, former epochs' too
};
// Retention wants these to go. Own entries go only when they are acked.
struct Retire {
  std::vector<OldSegment> segments;
};
// What was refused before, and a person wants looked at again.
struct Reconsider {
  std::vector<Quarantined> refused;
};
struct DeadlinePassed {};

using Input = std::variant<Append, Flush, LinkUp, LinkDown, Received, WriteFinished, ReadFinished,
                           OldestListed, StorageUsed, Retire, Reconsider, DeadlinePassed>;

// ---- outputs ----

// Make these durable, what concerns one node in one transaction; then answer WriteFinished. Of an
// error nothing counts as stored, though it may be. Live requests go before bulk ones that wait,
// those of one lane in their order; answers come in the order of the commits, as far as they
// concern the same nodes. Writes that wait together may share one unless they stand alone.
struct Write : Changes {
  Token token = 0;
  Lane lane = Lane::live;
};
// Whole stored segments with entries of the interval, newest first.
struct Read {
  Token token = 0;
  LogId log;
  Interval interval;
  std::uint64_t bytes_max = 0;
  Lane lane = Lane::live;
};
struct ListOldest {
  Token token = 0;
  LogId log;
  std::uint64_t bytes_min = 0;
  Seq from = 1;  // of the segments that hold it or follow
};
struct Send {
  TopicClass topic = TopicClass::gossip;
  NodeId target;  // of an inbox who reads it; else the node that the topic names
  Bytes payload;
  Lane lane = Lane::live;
  std::string_view message;  // for metrics
  CellIndex cell = kEveryCell;
};
// Every append up to this ticket is on the disk.
struct Durable {
  Ticket ticket = 0;
};
// Entries of another node became durable here.
struct Replicated {
  LogId log;
  Hlc hlc;  // of the newest of them
  Seq last = 0;
  std::uint64_t entries = 0;
  std::uint64_t readings = 0;
};
// Something a person may want to read about.
struct Notice {
  enum class Kind {
    refused,
    fork,
    epoch_begun,
    clone,
    revoked,
    lost,
    peer_up,
    peer_down,
    storage_failed
  } kind;
  NodeId node;  // the peer or origin
  std::string detail;
};

using Output = std::variant<Write, Read, ListOldest, Send, Durable, Replicated, Notice>;

// Running totals since the replica was made.
struct Stats {
  struct Traffic {
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
  };
  struct TrafficKey {
    bool received = false;
    Lane lane = Lane::live;
    std::string_view message;
    auto operator<=>(const TrafficKey&) const = default;
  };
  std::map<TrafficKey, Traffic> traffic;
  std::map<std::string_view, std::uint64_t> refused;       // messages and segments, by reason
  std::map<std::string_view, std::uint64_t> quarantined;   // segments of them that are kept
  std::map<std::string_view, std::uint64_t> lost_entries;  // by overflow policy
  std::uint64_t entries_appended = 0;
  std::uint64_t readings_appended = 0;
  std::uint64_t entries_received = 0;
  std::uint64_t readings_received = 0;
  std::uint64_t decoded_bytes = 0;        // canonical, of others' segments that were looked at
  std::uint64_t duplicates = 0;           // segments that were here already
  std::uint64_t signatures_verified = 0;  // of segments; the others are covered by a successor
  std::uint64_t forks = 0;
  std::uint64_t branches = 0;       // of own logs that a gateway had otherwise
  std::uint64_t epochs_begun = 0;   // for that
  std::uint64_t entries_moved = 0;  // into the present epoch
  std::uint64_t clones = 0;         // of other nodes
  struct Unknown {
    std::uint64_t messages = 0;
    std::uint64_t fields = 0;      // of messages that are known
    std::uint64_t operations = 0;  // in segments that were taken
  };
  Unknown unknown;                 // of newer minor versions: ignored
  std::uint64_t live_skipped = 0;  // segments that the send window held back
  std::uint64_t vectors_equal = 0;
  std::uint64_t vectors_different = 0;
  std::uint64_t suppressed = 0;  // Digests that others said first, and answers to them
};

}  // namespace dunlin::replication
