#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "common/log/digest_trie.h"
#include "common/log/entry.h"
#include "common/log/interval_set.h"
#include "common/log/log_id.h"
#include "common/log/signer.h"
#include "common/replication/interest.h"

namespace dunlin::replication {

// The messages of protocol 1 (common/doc/wire_format.md, "Messages"), plain values: envelope.h has
// their bytes and what is signed of them. The number of each is its code on the wire. Who
// says so stands in the topic, but for Hello.

inline constexpr std::uint64_t kProtocolVersion = 1;  // the major one: others are refused
inline constexpr std::uint64_t kProtocolMinor = 0;    // for people: nothing is refused by it

enum class Role : std::uint64_t { agent = 0, gateway = 1 };
enum class NodeState : std::uint64_t { down = 0, up = 1 };
enum class Lane : std::uint64_t { live = 0, bulk = 1 };

// Limits of what a peer may claim in one message.
inline constexpr std::size_t kHelloLogsMax = 64;
inline constexpr std::size_t kVectorLogsMax = 512;
inline constexpr std::size_t kFetchLogsMax = 64;
inline constexpr std::size_t kCertificateBytesMax = 2048;
inline constexpr std::size_t kDigestPlacesMax = 128;
inline constexpr std::size_t kSegmentCertificatesMax = 64;
inline constexpr std::size_t kFollowsMax = 16;

// Of Hello::capabilities: an agent that keeps all logs of its cell, or of the fleet, or of some
// nodes.
inline constexpr std::string_view kKeepsCell = "keeps_cell";
inline constexpr std::string_view kKeepsFleet = "keeps_fleet";
inline constexpr std::string_view kFollows = "follows";

// Who a node is and how far its own logs go. Retained; the MQTT will is the same with state down.
struct Hello {
  static constexpr std::uint64_t kCode = 1;
  struct Head {
    Epoch epoch;
    Track track;
    Seq head = 0;
    bool operator==(const Head&) const = default;
  };
  NodeId node;
  Bytes public_key;
  std::string name;
  Role role = Role::agent;
  NodeState state = NodeState::up;
  std::vector<Head> heads;
  std::uint64_t minor = kProtocolMinor;
  std::vector<std::string> capabilities;
  Nonce nonce;
  std::uint64_t counter = 0;          // grows with every Hello of one nonce
  Hlc hlc;                            // the greatest stamp that the node gave or heard
  std::optional<UtcMicros> utc = {};  // its clock as this was sent; nothing: not synchronised
  Bytes certificate = {};  // the fleet's authority's, over the key; empty in an open fleet
  Signature signature{};   // by the node's key over hello_statement()
  bool operator==(const Hello&) const = default;
};

// What the sender holds, or once held: of each log [1..head] less `missing`, and the hash of its
// head, so that two branches of a log are told apart. A gateway's Vector tells an origin what
// arrived there; an origin's tells how far its logs go, and asks for the gateway's.
struct Vector {
  static constexpr std::uint64_t kCode = 3;
  struct Item {
    LogId log;
    Seq head = 0;
    Hash hash{};  // of entry `head`
    IntervalSet missing;
    bool operator==(const Item&) const = default;
  };
  // What an origin says of its disk, for those who watch it.
  struct Storage {
    std::uint64_t log_bytes = 0;  // of its database
    std::uint64_t free_bytes = 0;
    std::uint64_t written_bytes = 0;  // by the program since it started
    bool operator==(const Storage&) const = default;
  };
  std::vector<Item> logs;
  bool whole = true;  // of an origin's logs none that the sender has is left out
  std::optional<Storage> storage = {};
  bool operator==(const Vector&) const = default;
};

// What a node that keeps all logs of a cell holds of them, or of all logs in the backbone, as the
// two roots of a DigestTrie; and where others have shown that they differ, parts of what is below:
// what the children of places hash to, and the logs of places with few of them.
struct Digest {
  static constexpr std::uint64_t kCode = 2;
  struct Place {
    TriePath path;
    DigestTrie::ChildHashes children{};
    bool operator==(const Place&) const = default;
  };
  struct Log {
    Vector::Item item;
    Seq floor = 1;  // what is below is not here: released, or lost
    bool operator==(const Log&) const = default;
  };
  struct Leaf {
    TriePath path;
    bool last = false;  // it answers another one: nothing is said to it
    std::vector<Log> logs;
    bool operator==(const Leaf&) const = default;
  };
  DigestPair roots;
  std::vector<Place> places;
  std::vector<Leaf> leaves;
  bool operator==(const Digest&) const = default;
};

// Asks for entries, newest first within each log, at most `credit` bytes of segments. The wants of
// a new request replace those of the requester's former one; an empty list adds credit to
// `request`.
struct Fetch {
  static constexpr std::uint64_t kCode = 4;
  struct Want {
    LogId log;
    IntervalSet wanted;
    bool operator==(const Want&) const = default;
  };
  std::uint64_t request = 0;  // drawn by the requester; not 0
  std::uint64_t credit = 0;
  std::vector<Want> wants;
  bool operator==(const Fetch&) const = default;
};

// Encoded segments: pushed (request 0) or in answer to a Fetch. `done` says that nothing more comes
// for the request, whether or not everything wanted was there.
struct Segments {
  static constexpr std::uint64_t kCode = 5;
  Lane lane = Lane::live;
  std::uint64_t request = 0;
  bool done = false;
  std::vector<std::shared_ptr<const Bytes>> segments;
  // By which the authority admitted their nodes, for who may not have met them.
  std::vector<Bytes> certificates = {};
};

// A gateway's signed word to an origin: this much of its logs is durable there. It lets the origin
// let go, and is void for another instance of it.
struct Ack {
  static constexpr std::uint64_t kCode = 6;
  NodeId origin;
  Nonce nonce;  // of the origin's instance
  std::vector<Vector::Item> logs;
  Signature signature{};  // by the sender's key over ack_statement()
  bool operator==(const Ack&) const = default;
};

// A node that does not know the time asks a gateway for it.
struct TimeQuery {
  static constexpr std::uint64_t kCode = 7;
  std::uint64_t request = 0;  // drawn by the sender
  bool operator==(const TimeQuery&) const = default;
};
struct TimeReply {
  static constexpr std::uint64_t kCode = 8;
  NodeId asker;
  std::uint64_t request = 0;
  UtcMicros utc = 0;      // as this was sent
  Signature signature{};  // by the sender's key over time_statement()
  bool operator==(const TimeReply&) const = default;
};

// An agent follows these nodes, in place of those that it named before. A gateway answers with the
// logs that it has of them, as a Digest with one leaf that has all.
struct Follow {
  static constexpr std::uint64_t kCode = 9;
  std::vector<Followed> follows;
  bool operator==(const Follow&) const = default;
};

struct UnknownMessage {  // of a newer minor version
  std::uint64_t code = 0;
  Bytes cbor;  // the whole message, canonical
  bool operator==(const UnknownMessage&) const = default;
};

}  // namespace dunlin::replication
