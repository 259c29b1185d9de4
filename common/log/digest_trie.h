#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "common/base/sha256.h"
#include "common/log/interval_set.h"
#include "common/log/log_id.h"
#include "common/log/trie_path.h"

namespace dunlin {

using Digest16 = std::array<std::uint8_t, 16>;  // the first 16 bytes of a SHA-256

// A log, or all logs under a place, in two hashes: how far they go, and what is missing of them.
struct DigestPair {
  Digest16 head{};
  Digest16 missing{};
  bool operator==(const DigestPair&) const = default;
};

// What the trie is told of a log:
//   head    = SHA-256("dunlin/1 digest head" || log || head || hash(head))
//   missing = all zero when nothing is missing, or else
//             SHA-256("dunlin/1 digest missing" || log || intervals || first || last || ...)
// of each the first 16 bytes. Log as log_id_bytes(); numbers as 8 bytes, big endian; `intervals` is
// how many follow. What is held below a floor is not in it: replicas keep different pasts.
DigestPair log_digest(const LogId& log, Seq head, const Hash& head_hash,
                      const IntervalSet& missing);

// The digest of a set of logs (wire_format.md, "Digest"), for finding how two sets differ without
// listing them: a 16-ary trie by trie_key(). A value, and a function of its logs and their digests
// alone, whatever the order and history in which it learned them:
//
//   a place with at most 16 logs is a leaf, any other has 16 children, down to kDepthMax;
//   leaf  = SHA-256("dunlin/1 digest leaf"  || its logs' digests by ascending (key, log id))
//   inner = SHA-256("dunlin/1 digest inner" || its 16 children's hashes in order)
//
// of each the first 16 bytes, once over the `head` halves and once over the `missing` halves. Where
// all that would be hashed is zero, or there is none, the hash is 16 zero bytes: so of an empty
// place, and the missing half of any place where nothing is missing.
//
// Hashes are made when they are asked for and kept until something under them changes: after k
// changes, roots() makes those of k leaves and of the nodes above them. That happens in const
// functions, too, so an object belongs to one thread even for reading. At 100,000 logs it takes
// some 130 bytes for each (performance.md).
class DigestTrie {
 public:
  // A child in 8 bytes: the start of SHA-256("dunlin/1 digest child" || head || missing) over its
  // two hashes; zero for an empty place.
  using ChildHash = std::array<std::uint8_t, 8>;
  using ChildHashes = std::array<ChildHash, 16>;

  // Adds the log or replaces its digest. The same digest again changes nothing and costs no hash.
  void set(const LogId& log, const DigestPair& digest);
  // A log that is not in it is no mistake.
  void erase(const LogId& log);

  std::size_t size() const { return root_.count; }
  // Two sets of logs with their digests are the same if and only if both halves are.
  DigestPair roots() const { return hash_of(root_); }

  // ---- Walking down with a peer. Every path has an answer, whether or not a node is there: the
  // hash of a place is defined by the logs under it, so sides with more and fewer logs agree. ----

  // How many logs stand under a path: by it a caller decides whether to list them or to send what
  // their places hash to. Listing up to 8 finds one changed log of 100,000 within 1.5 KB. O(depth).
  std::size_t count(const TriePath& path) const;
  // These logs, by ascending (key, log id). O(depth + what it returns).
  std::vector<LogId> logs(const TriePath& path) const;
  // The hashes of a place's children; nothing at kDepthMax, where there are none. 16 hashes, and
  // up to 32 more where a leaf stands at the path or above it.
  std::optional<ChildHashes> children(const TriePath& path) const;
  // The children of a path, ascending, that are not what a peer said of its own, be it that only
  // one side has logs there. Costs what children() costs.
  std::vector<TriePath> differing(const TriePath& path, const ChildHashes& theirs) const;

 private:
  static constexpr std::size_t kLeafLogsMax = 16;

  struct Item {
    TrieKey key;
    LogId log;
    DigestPair digest;
    bool before(const Item& other) const;
  };
  using Items = std::vector<Item>;  // ascending, without spare room

  struct Node {
    std::variant<Items, std::vector<Node>> below;  // of a leaf its logs, otherwise 16 children
    std::uint32_t count = 0;                       // logs in all
    mutable bool hashed = true;                    // `digest` is of what is below now
    mutable DigestPair digest = {};
  };

  static bool put(Node& node, unsigned depth, const Item& item);
  static bool take(Node& node, unsigned depth, const Item& item);
  static void split(Node& node, unsigned depth);
  static void join(Node& node);
  static void collect(const Node& node, Items& items);
  static const DigestPair& hash_of(const Node& node);
  static DigestPair hash_of(const Items& leaf);
  static ChildHash child_hash(const DigestPair& digest);
  // The node at a path, or the leaf above it.
  const Node& nearest(const TriePath& path) const;
  // The logs under a path that stand in a leaf at or above it.
  static Items under(const Items& leaf, const TriePath& path);

  Node root_;
};

}  // namespace dunlin
