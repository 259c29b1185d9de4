#pragma once

#include <string_view>
#include <variant>

#include "common/replication/messages.h"

namespace dunlin::replication {

using Message = std::variant<Hello, Digest, Vector, Fetch, Segments, Ack, TimeQuery, TimeReply,
                             Follow, UnknownMessage>;

// What a newer minor version appended to a message: its last items, unread.
struct LaterFields {
  std::uint64_t items = 0;
  Bytes cbor;  // of all of them, canonical
  bool operator==(const LaterFields&) const = default;
};

// What is signed covers later fields as well, though nobody here understands them.
Bytes hello_statement(const Hello& hello, const LaterFields& later = {});
Bytes time_statement(const NodeId& sender, const TimeReply& reply, const LaterFields& later = {});

// Every message travels in one (common/doc/wire_format.md): [version, key id, sender's nonce,
// counter, message].
struct Envelope {
  Nonce nonce;
  std::uint64_t counter = 0;
  Message message;
  LaterFields later = {};  // of `message`, unless that is unknown as a whole
};

// Of an Ack in that envelope: where it stands among its sender's is signed, too, so that nobody can
// bring back a former one.
Bytes ack_statement(const NodeId& sender, const Ack& ack, const Envelope& envelope);

Bytes encode_envelope(const Envelope& envelope);
// Strict, but for what newer minor versions add. `unsupported`: another major version or key id.
Result<Envelope> decode_envelope(ByteView bytes);
// Bulk for Segments that say so, live for all else, by a glance at the first items.
Lane peek_lane(ByteView envelope);

std::string_view message_name(const Message& message);  // "hello", "vector", ...

}  // namespace dunlin::replication
