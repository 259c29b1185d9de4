#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/time.h"
#include "common/log/entry.h"
#include "common/log/interval_set.h"
#include "common/log/segment.h"

namespace dunlin {

// What passes between the replica and its storage, besides SegmentRecord.

// What is kept of a node besides its logs.
struct KnownNode {
  NodeId node;
  Bytes public_key;
  std::string name;
  Bytes certificate = {};   // by which the fleet's authority admitted it; empty in an open fleet
  UtcMicros last_seen = 0;  // by the latest Sighting; 0 = none
};

// A node was heard of, by this one's clock.
struct Sighting {
  NodeId node;
  UtcMicros at = 0;
};

// Entries that leave the disk: whole stored segments, with the chain hashes at both ends.
struct Release {
  LogId log;
  Interval interval;
  Hash before{};  // hash(first - 1)
  Hash after{};   // hash(last)
};

// What gateways hold of an own log.
struct Acked {
  LogId log;
  IntervalSet acked;
};

// Takes back what this database wrote of an own log beyond `last`: it was given out once more, or
// comes again. No stored segment spans `last`.
struct Rollback {
  LogId log;
  Seq last = 0;
  Hash hash{};  // hash(last); chain_start(log) for 0
};

// A segment that was refused, for a person to look at.
struct Quarantined {
  NodeId peer;  // on whose topic it came, or whose log it says it is of
  Errc reason = Errc::malformed;
  std::string detail;
  UtcMicros at = 0;
  std::shared_ptr<const Bytes> bytes;
};

// What one commit does: the epoch first, then rollbacks, segments, releases, acks, members, what
// was revoked, what was refused and who was seen.
struct Changes {
  std::vector<SegmentRecord> segments = {};
  std::vector<Release> releases = {};
  std::vector<Acked> acks = {};
  std::vector<Rollback> rollbacks = {};
  std::vector<KnownNode> members = {};  // that were admitted
  // By the fleet's authority, whose log another file has.
  std::vector<std::pair<Hlc, Revoke>> revocations = {};
  std::vector<Quarantined> refused = {};
  std::vector<Sighting> sightings = {};  // the latest of each node
  std::optional<Epoch> epoch = {};       // the database's from here on

  // Shares its commit with nothing that came before or comes after it.
  bool stands_alone() const { return epoch || !rollbacks.empty(); }
  // Requires that neither stands alone.
  void append(const Changes& more) {
    segments.insert(segments.end(), more.segments.begin(), more.segments.end());
    releases.insert(releases.end(), more.releases.begin(), more.releases.end());
    acks.insert(acks.end(), more.acks.begin(), more.acks.end());
    members.insert(members.end(), more.members.begin(), more.members.end());
    revocations.insert(revocations.end(), more.revocations.begin(), more.revocations.end());
    refused.insert(refused.end(), more.refused.begin(), more.refused.end());
    sightings.insert(sightings.end(), more.sightings.begin(), more.sightings.end());
  }
};

// What became of a segment that was handed to storage.
struct WriteOutcome {
  // won: stored in the place of another branch, which lies in quarantine from fork_seq on; what is
  // stored of the log ends with this segment.
  enum class Kind { stored, duplicate, fork, won } kind = Kind::stored;
  Seq fork_seq = 0;    // the first sequence number with two hashes
  bool known = false;  // this fork is on record already, or too many of its log are
};

struct StoredSegment {
  Interval interval;
  Bytes bytes;
};

// A stored segment that may have to go.
struct OldSegment {
  Release release;
  std::uint64_t readings = 0;
  std::uint64_t bytes = 0;
};

}  // namespace dunlin
