#pragma once

#include <compare>
#include <functional>
#include <string>

#include "common/base/ids.h"

namespace dunlin {

// A log is (node, epoch, track). Sequence numbers start at 1 and are never reused inside it.
struct LogId {
  NodeId node;
  Epoch epoch;
  Track track;

  auto operator<=>(const LogId&) const = default;
  LogId control() const { return {node, epoch, kControlTrack}; }
  std::string to_string() const;  // "<node>/<epoch as 16 hex digits>/<track>"
};

// node (16) || epoch (8, big endian) || track (8, big endian): the form that is hashed and signed.
std::array<std::uint8_t, 32> log_id_bytes(const LogId& log);

}  // namespace dunlin

template <>
struct std::hash<dunlin::LogId> {
  std::size_t operator()(const dunlin::LogId& log) const noexcept {
    return std::hash<dunlin::NodeId>{}(log.node) ^
           static_cast<std::size_t>((log.epoch.value * 0x9e3779b97f4a7c15ULL) ^ log.track.value);
  }
};
