#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>

#include "dunlin/bytes.h"

namespace dunlin {

// First 16 bytes of SHA-256 over the node's SubjectPublicKeyInfo; printed as 32 hex digits.
struct NodeId {
  std::array<std::uint8_t, 16> bytes{};

  auto operator<=>(const NodeId&) const = default;
  std::string to_string() const { return to_hex(bytes); }
  static Result<NodeId> from_string(std::string_view hex);
};

// A number that only compares with its own kind; convert explicitly with `value`.
template <typename Tag>
struct StrongId {
  std::uint64_t value = 0;
  auto operator<=>(const StrongId&) const = default;
};

using Epoch = StrongId<struct EpochTag>;  // random, drawn when a database file is created
using Track = StrongId<struct TrackTag>;  // 0 is control; other tracks carry data
using Nonce = StrongId<struct NonceTag>;  // drawn at every start of a node, never stored
using Seq = std::uint64_t;                // of an entry in its log; the first is 1

inline constexpr Track kControlTrack{0};
inline constexpr Track kSamplesTrack{1};

}  // namespace dunlin

template <>
struct std::hash<dunlin::NodeId> {
  std::size_t operator()(const dunlin::NodeId& id) const noexcept {
    std::size_t h = 0;  // the id is a hash already: any eight bytes will do
    for (int i = 0; i < 8; ++i) h = h << 8 | id.bytes[static_cast<std::size_t>(i)];
    return h;
  }
};
