#pragma once

#include <cstddef>
#include <cstdint>

namespace dunlin {

// Limits of the format: not negotiable, the same on every node. Larger foreign input is refused.
inline constexpr std::size_t kEntryBytesMax = 48 * 1024;  // canonical CBOR of one entry
inline constexpr std::size_t kEntryOpsBytesMax = kEntryBytesMax - 1024;  // what writers put in one
inline constexpr std::size_t kSegmentBytesMax = 64 * 1024;               // an encoded segment
inline constexpr std::size_t kSegmentDecodedBytesMax = 1024 * 1024;  // canonical, of its entries
inline constexpr std::size_t kSegmentEntriesMax = 4096;
inline constexpr std::size_t kMessageBytesMax = 128 * 1024;  // an envelope on the wire
// The log of a fleet's authority is one message for ever: so much of segments goes into it, and so
// much at most is written, since copies elsewhere may lie in more segments.
inline constexpr std::size_t kAuthorityMessageBytesMax = 120 * 1024;
inline constexpr std::size_t kAuthorityLogBytesMax = kAuthorityMessageBytesMax - 8 * 1024;
// SQL keeps sequence numbers as signed integers.
inline constexpr std::uint64_t kSeqMax = 1ULL << 62;

inline constexpr std::size_t kFieldsMax = 256;     // of a stream
inline constexpr std::size_t kNameBytesMax = 128;  // of a node, stream, field or unit
inline constexpr std::size_t kEntryReadingsMax = 1000;
inline constexpr std::size_t kRevokedLogsMax = 256;  // of a node, in its Revoke

}  // namespace dunlin
