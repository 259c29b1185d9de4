#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "common/log/interval_set.h"
#include "common/log/log_id.h"
#include "common/replication/messages.h"

namespace dunlin::replication {

// What a replica says of itself to people (Replica::status).

struct LogStatus {
  LogId log;
  Seq head = 0;    // the newest entry known to exist
  Seq proven = 0;  // the newest that was signed, and its hash
  Hash proven_hash{};
  Seq complete = 0;  // nothing of [1..complete] is missing
  std::uint64_t held_entries = 0;
  std::uint64_t missing_entries = 0;
  IntervalSet missing;
  // Not here either, but a gateway that had them let them go by rule: not missing, though they are
  // taken where somebody still has them.
  std::uint64_t released_entries = 0;
  std::uint64_t lost_entries = 0;  // declared lost and not here either
  std::uint64_t lost_readings = 0;
  std::optional<Instant> behind_since;  // first heard of the oldest missing entry
  bool forked = false;
  bool sealed = false;  // its node goes on in another epoch
};

// `remote`: of another cell, known through other gateways.
enum class PeerState : std::uint8_t { up, stale, down, remote };

struct NodeStatus {
  NodeId node;
  std::string name;
  std::string cell = {};  // where it was heard; empty: not since this start
  Role role = Role::agent;
  PeerState state = PeerState::down;
  UtcMicros last_seen = 0;  // 0 = nobody knows; of one that was down at the start, by its will
  struct Protocol {
    std::uint64_t minor = 0;
    std::vector<std::string> capabilities;
    bool operator==(const Protocol&) const = default;
  };
  std::shared_ptr<const Protocol> speaks = {};  // of its last Hello; null: none since this start
  // Of its clock, as it last said; nothing while it did not say so to us since the start.
  std::optional<bool> synchronised = {};
  std::optional<Duration> skew = {};  // how far it is ahead of ours, when both are synchronised
  std::optional<Vector::Storage> storage = {};  // as it last said
  UtcMicros certified_until = 0;                // its certificate; 0: none is known
  bool cloned = false;                          // two machines run with its key
  bool revoked = false;                         // by the fleet's authority
  bool authority = false;                       // it is that, and no peer
  std::vector<LogStatus> logs = {};
};

}  // namespace dunlin::replication
