#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/base/sha256.h"
#include "common/log/log_id.h"
#include "dunlin/stream.h"

namespace dunlin {

// Hybrid logical clock: 48 bits of milliseconds since 1970 and a 16-bit counter (Kulkarni et al.
// 2014).
struct Hlc {
  std::uint64_t value = 0;
  std::uint64_t millis() const { return value >> 16; }
  std::uint16_t counter() const { return static_cast<std::uint16_t>(value); }
  static Hlc of(std::uint64_t millis, std::uint16_t counter) { return {millis << 16 | counter}; }
  auto operator<=>(const Hlc&) const = default;
};

// ---- Operations. The number of each is its code on the wire and never changes. ----

// The first entry of track 0: makes the log self-certifying, since NodeId hashes the key.
struct Open {
  static constexpr std::uint64_t kCode = 0;
  Bytes public_key;  // SubjectPublicKeyInfo, DER
  std::string name;  // for people
  bool operator==(const Open&) const = default;
};

// Says that another log of the same node has ended for good.
struct Seal {
  static constexpr std::uint64_t kCode = 1;
  Epoch epoch;
  Track track;
  Seq last = 0;
  Hash hash{};
  bool operator==(const Seal&) const = default;
};

// A version of a stream's schema. `id` is what Samples refer to: unique in the epoch, never reused;
// each version of a stream has its own.
struct Define {
  static constexpr std::uint64_t kCode = 2;
  std::uint64_t id = 0;
  std::uint64_t version = 1;  // of the stream, counted by name, from 1
  StreamSchema schema;
  bool operator==(const Define&) const = default;
};

// Readings of one stream. Row times are absolute here; the wire has them as offsets from `base`.
struct Samples {
  static constexpr std::uint64_t kCode = 3;
  std::uint64_t stream = 0;           // Define::id
  std::optional<std::uint64_t> boot;  // set: times are microseconds since this boot, UTC unknown
  std::int64_t base = 0;              // microseconds; writers use the first row's time
  Rows rows;
  bool operator==(const Samples&) const = default;
};

// What an origin dropped of one of its logs, of this epoch or a former one, before enough others
// had it. Cumulative per log: each declaration repeats what the earlier ones said.
struct LostRange {
  Seq first = 0;
  Seq last = 0;
  Hash before{};               // hash(first - 1)
  Hash after{};                // hash(last)
  std::uint64_t readings = 0;  // how many readings went with it
  bool operator==(const LostRange&) const = default;
};
struct Lost {
  static constexpr std::uint64_t kCode = 7;
  Epoch epoch;
  Track track;
  std::vector<LostRange> ranges;  // ascending, disjoint
  bool operator==(const Lost&) const = default;
};

// Ties a boot's monotonic clock to UTC.
struct TimeAnchor {
  static constexpr std::uint64_t kCode = 8;
  std::uint64_t boot = 0;         // counts the boots this database has seen
  std::string boot_id;            // the kernel's
  std::int64_t monotonic_us = 0;  // since that boot
  std::int64_t utc_us = 0;
  std::uint64_t uncertainty_us = 0;
  bool operator==(const TimeAnchor&) const = default;
};

// In the log of a fleet's authority: a node is a member no more. Of each of its logs counts what
// came up to `last`, where the chain has that hash; of logs that are not named nothing does. A
// later one for the same node replaces it.
struct Revoke {
  static constexpr std::uint64_t kCode = 9;
  struct End {
    Epoch epoch;
    Track track;
    Seq last = 0;
    Hash hash{};
    bool operator==(const End&) const = default;
  };
  NodeId node;
  std::vector<End> ends;
  // Of a log of that node; null when nothing of it counts.
  const End* end_of(const LogId& log) const;
  bool operator==(const Revoke&) const = default;
};

// An operation of a newer minor version, be its code new or only some of its fields: kept, hashed,
// forwarded, and otherwise ignored.
// (Put 4, Erase 5 and TruncateObserved 6 are reserved for tables.)
struct UnknownOp {
  std::uint64_t code = 0;
  Bytes cbor;  // the whole operation, canonical
  bool operator==(const UnknownOp&) const = default;
};

using Op = std::variant<Open, Seal, Define, Samples, Lost, TimeAnchor, Revoke, UnknownOp>;

// One durable append: all its operations take effect on every replica, or none.
struct Entry {
  Seq seq = 0;
  Hlc hlc;
  std::vector<Op> ops;
  bool operator==(const Entry&) const = default;
};

// Readings in all Samples of the entry.
std::uint64_t count_readings(const Entry& entry);
std::uint64_t count_unknown(const Entry& entry);

}  // namespace dunlin
