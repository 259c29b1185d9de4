#pragma once

#include <compare>
#include <cstdint>
#include <optional>

#include "common/base/check.h"
#include "common/log/log_id.h"

namespace dunlin {

// Where a log stands in a DigestTrie: the first 8 bytes of SHA-256(log_id_bytes(log)) as a number,
// big endian. Its sixteen nibbles, the highest first, are the way to it from the root.
using TrieKey = std::uint64_t;
TrieKey trie_key(const LogId& log);

// A place in the trie: the nibbles that the keys of all logs under it begin with. The root is the
// empty path. Every path is a place, whether or not a trie has a node or a log there.
//
// Ordered as one walks down: a path before what is under it, and that before the next sibling.
class TriePath {
 public:
  // Keys end there. Only logs whose hashes agree in 64 bits would share such a path.
  static constexpr unsigned kDepthMax = 16;

  TriePath() = default;
  // The path of `depth` nibbles that read as one number, the first one highest: (3, 0x1a2) is
  // 1, a, 2. For foreign input: nothing beyond kDepthMax, or when the number needs more nibbles.
  static std::optional<TriePath> of(std::uint64_t depth, std::uint64_t nibbles) {
    if (depth > kDepthMax) return std::nullopt;
    if (depth < kDepthMax && nibbles >> (4 * depth) != 0) return std::nullopt;
    const auto length = static_cast<unsigned>(depth);
    return TriePath(length, length == 0 ? 0 : nibbles << unused(length));
  }

  unsigned depth() const { return depth_; }
  // As in of(): what a message says of it besides the depth.
  std::uint64_t nibbles() const { return depth_ == 0 ? 0 : bits_ >> unused(depth_); }

  // Requires depth() < kDepthMax and nibble < 16.
  TriePath child(unsigned nibble) const {
    DUNLIN_CHECK(depth_ < kDepthMax && nibble < 16);
    return TriePath(depth_ + 1, bits_ | std::uint64_t{nibble} << unused(depth_ + 1));
  }
  // Whether a log with this key stands at or under the path.
  bool holds(TrieKey key) const { return depth_ == 0 || (key ^ bits_) >> unused(depth_) == 0; }
  // The nibble by which a key goes on from a place of this depth, which is below kDepthMax.
  static unsigned step(TrieKey key, unsigned depth) {
    return static_cast<unsigned>(key >> unused(depth + 1)) & 15U;
  }
  // The same of the path's own nibbles; `depth` is below depth().
  unsigned step(unsigned depth) const { return step(bits_, depth); }

  auto operator<=>(const TriePath&) const = default;

 private:
  TriePath(unsigned depth, std::uint64_t bits) : bits_(bits), depth_(depth) {}
  // Bits of a key behind its first `depth` nibbles.
  static unsigned unused(unsigned depth) { return 64 - 4 * depth; }

  std::uint64_t bits_ = 0;  // the nibbles from the highest bit on, zeros behind them
  unsigned depth_ = 0;
};

}  // namespace dunlin
