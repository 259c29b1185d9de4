#include "common/replication/envelope.h"

#include "common/codec/cbor.h"
#include "common/codec/log_state_codec.h"
#include "common/log/limits.h"

namespace dunlin::replication {

namespace {

constexpr std::uint64_t kEnvelopeItems = 5;
constexpr std::uint64_t kOpenKey = 0;  // not sealed
constexpr std::size_t kCapabilitiesMax = 16;

void write_log(CborWriter& w, const LogId& log) {
  w.bytes(log.node.bytes), w.uint(log.epoch.value), w.uint(log.track.value);
}

Result<LogId> read_log(CborReader& r) {
  LogId log;
  DUNLIN_TRY(r.bytes_into(log.node.bytes));
  DUNLIN_ASSIGN(log.epoch.value, r.uint());
  DUNLIN_ASSIGN(log.track.value, r.uint());
  return log;
}

void write_path(CborWriter& w, const TriePath& path) {
  w.array(2), w.uint(path.depth()), w.uint(path.nibbles());
}

Result<TriePath> read_path(CborReader& r) {
  DUNLIN_TRY(r.array_of(2));
  DUNLIN_ASSIGN(const std::uint64_t depth, r.uint());
  DUNLIN_ASSIGN(const std::uint64_t nibbles, r.uint());
  const std::optional<TriePath> path = TriePath::of(depth, nibbles);
  if (!path) return r.error(Errc::malformed, "no place");
  return *path;
}

// The number of items of a list that is bounded.
Result<std::uint64_t> read_list(CborReader& r, std::size_t max) {
  DUNLIN_ASSIGN(const std::uint64_t items, r.array());
  if (items > max) return r.error(Errc::too_large, "a list of " + std::to_string(items) + " items");
  return items;
}

Result<std::string> read_name(CborReader& r) {
  DUNLIN_ASSIGN(const std::string_view text, r.text());
  if (text.size() > kNameBytesMax) return r.error(Errc::malformed, "name too long");
  return std::string(text);
}

// A message is an array of its code, its fields and the later ones, which the caller appends.
void begin_message(CborWriter& w, std::uint64_t items, const LaterFields& later,
                   std::uint64_t code) {
  w.array(items + later.items), w.uint(code);
}

void write_hello(CborWriter& w, const Hello& hello, const LaterFields& later, bool with_signature) {
  begin_message(w, with_signature ? 15 : 14, later, Hello::kCode);
  w.bytes(hello.node.bytes), w.bytes(hello.public_key), w.text(hello.name);
  w.uint(static_cast<std::uint64_t>(hello.role)), w.uint(static_cast<std::uint64_t>(hello.state));
  w.array(hello.heads.size());
  for (const Hello::Head& head : hello.heads) {
    w.array(3), w.uint(head.epoch.value), w.uint(head.track.value), w.uint(head.head);
  }
  w.uint(hello.minor), w.array(hello.capabilities.size());
  for (const std::string& capability : hello.capabilities) w.text(capability);
  w.uint(hello.nonce.value), w.uint(hello.counter), w.uint(hello.hlc.value);
  hello.utc ? w.uint(static_cast<std::uint64_t>(*hello.utc)) : w.null();
  w.bytes(hello.certificate);
  if (with_signature) w.bytes(hello.signature);
}

// What is signed names the sender, and has no signature at its end.
void write_reply(CborWriter& w, const TimeReply& reply, const LaterFields& later,
                 const NodeId* signed_by) {
  begin_message(w, 5, later, TimeReply::kCode);
  if (signed_by) w.bytes(signed_by->bytes);
  w.bytes(reply.asker.bytes), w.uint(reply.request);
  w.uint(static_cast<std::uint64_t>(reply.utc));
  if (!signed_by) w.bytes(reply.signature);
}

Result<UtcMicros> read_utc(CborReader& r) {
  DUNLIN_ASSIGN(const std::uint64_t utc, r.uint());
  if (utc > static_cast<std::uint64_t>(kLatestUtc)) return r.error(Errc::malformed, "UTC too late");
  return static_cast<UtcMicros>(utc);
}

void write_item(CborWriter& w, const Vector::Item& item) {
  write_log(w, item.log), w.uint(item.head), w.bytes(item.hash);
  encode_intervals(w, item.missing);
}

void write_items(CborWriter& w, const std::vector<Vector::Item>& items) {
  w.array(items.size());
  for (const Vector::Item& item : items) w.array(6), write_item(w, item);
}

Result<Vector::Item> read_item(CborReader& r) {
  Vector::Item item;
  DUNLIN_ASSIGN(item.log, read_log(r));
  DUNLIN_ASSIGN(item.head, r.uint());
  DUNLIN_TRY(r.bytes_into(item.hash));
  DUNLIN_ASSIGN(item.missing, decode_intervals(r));
  if (item.head > kSeqMax) return r.error(Errc::malformed, "head beyond 2^62");
  if (item.missing.last().value_or(0) > item.head)
    return r.error(Errc::malformed, "missing beyond the head");
  return item;
}

Result<std::vector<Vector::Item>> read_items(CborReader& r) {
  std::vector<Vector::Item> items;
  DUNLIN_ASSIGN(const std::uint64_t logs, read_list(r, kVectorLogsMax));
  for (std::uint64_t i = 0; i < logs; ++i) {
    DUNLIN_TRY(r.array_of(6));
    DUNLIN_ASSIGN(Vector::Item item, read_item(r));
    if (!items.empty() && item.log <= items.back().log)
      return r.error(Errc::malformed, "logs out of their order");
    items.push_back(std::move(item));
  }
  return items;
}

void write_ack(CborWriter& w, const Ack& ack, const LaterFields& later, const NodeId* signed_by) {
  begin_message(w, 5, later, Ack::kCode);
  if (signed_by) w.bytes(signed_by->bytes);
  w.bytes(ack.origin.bytes), w.uint(ack.nonce.value);
  write_items(w, ack.logs);
  if (!signed_by) w.bytes(ack.signature);
}

struct MessageWriter {
  CborWriter& w;
  const LaterFields& later;

  void operator()(const Hello& m) { write_hello(w, m, later, true); }
  void operator()(const Digest& m) {
    begin_message(w, 5, later, Digest::kCode);
    w.bytes(m.roots.head), w.bytes(m.roots.missing);
    w.array(m.places.size());
    for (const Digest::Place& place : m.places) {
      w.array(2), write_path(w, place.path), w.array(place.children.size());
      for (const DigestTrie::ChildHash& child : place.children) w.bytes(child);
    }
    w.array(m.leaves.size());
    for (const Digest::Leaf& leaf : m.leaves) {
      w.array(3), write_path(w, leaf.path), w.boolean(leaf.last), w.array(leaf.logs.size());
      for (const Digest::Log& log : leaf.logs) {
        w.array(7), write_item(w, log.item), w.uint(log.floor);
      }
    }
  }
  void operator()(const Vector& m) {
    begin_message(w, 4, later, Vector::kCode);
    write_items(w, m.logs), w.boolean(m.whole);
    if (!m.storage) return w.null();
    w.array(3), w.uint(m.storage->log_bytes);
    w.uint(m.storage->free_bytes), w.uint(m.storage->written_bytes);
  }
  void operator()(const Fetch& m) {
    begin_message(w, 4, later, Fetch::kCode);
    w.uint(m.request), w.uint(m.credit);
    w.array(m.wants.size());
    for (const Fetch::Want& want : m.wants) {
      w.array(4), write_log(w, want.log), encode_intervals(w, want.wanted);
    }
  }
  void operator()(const Segments& m) {
    begin_message(w, 6, later, Segments::kCode);
    w.uint(static_cast<std::uint64_t>(m.lane)), w.uint(m.request);
    w.boolean(m.done), w.array(m.segments.size());
    for (const auto& segment : m.segments) w.bytes(*segment);
    w.array(m.certificates.size());
    for (const Bytes& certificate : m.certificates) w.bytes(certificate);
  }
  void operator()(const Ack& m) { write_ack(w, m, later, nullptr); }
  void operator()(const TimeQuery& m) {
    begin_message(w, 2, later, TimeQuery::kCode);
    w.uint(m.request);
  }
  void operator()(const TimeReply& m) { write_reply(w, m, later, nullptr); }
  void operator()(const Follow& m) {
    begin_message(w, 2, later, Follow::kCode);
    w.array(m.follows.size());
    for (const Followed& each : m.follows) {
      w.array(2), w.text(each.node);
      each.track ? w.uint(each.track->value) : w.null();
    }
  }
  void operator()(const UnknownMessage& m) { w.raw(m.cbor); }
};

Result<Message> read_hello(CborReader& r) {
  Hello m;
  DUNLIN_TRY(r.bytes_into(m.node.bytes));
  DUNLIN_ASSIGN(const ByteView key, r.bytes());
  m.public_key.assign(key.begin(), key.end());
  DUNLIN_ASSIGN(m.name, read_name(r));
  DUNLIN_ASSIGN(const std::uint64_t role, r.uint());
  DUNLIN_ASSIGN(const std::uint64_t state, r.uint());
  if (role > 1 || state > 1) return r.error(Errc::malformed, "role or state");
  m.role = static_cast<Role>(role);
  m.state = static_cast<NodeState>(state);
  DUNLIN_ASSIGN(const std::uint64_t heads, read_list(r, kHelloLogsMax));
  for (std::uint64_t i = 0; i < heads; ++i) {
    Hello::Head head;
    DUNLIN_TRY(r.array_of(3));
    DUNLIN_ASSIGN(head.epoch.value, r.uint());
    DUNLIN_ASSIGN(head.track.value, r.uint());
    DUNLIN_ASSIGN(head.head, r.uint());
    if (head.head > kSeqMax) return r.error(Errc::malformed, "head beyond 2^62");
    m.heads.push_back(head);
  }
  DUNLIN_ASSIGN(m.minor, r.uint());
  DUNLIN_ASSIGN(const std::uint64_t capabilities, read_list(r, kCapabilitiesMax));
  for (std::uint64_t i = 0; i < capabilities; ++i) {
    DUNLIN_ASSIGN(std::string capability, read_name(r));
    m.capabilities.push_back(std::move(capability));
  }
  DUNLIN_ASSIGN(m.nonce.value, r.uint());
  DUNLIN_ASSIGN(m.counter, r.uint());
  DUNLIN_ASSIGN(m.hlc.value, r.uint());
  if (r.peek() == CborReader::Type::null) {
    DUNLIN_TRY(r.null());
  } else {
    DUNLIN_ASSIGN(m.utc, read_utc(r));
  }
  DUNLIN_ASSIGN(const ByteView certificate, r.bytes());
  if (certificate.size() > kCertificateBytesMax) return r.error(Errc::too_large, "a certificate");
  m.certificate.assign(certificate.begin(), certificate.end());
  DUNLIN_TRY(r.bytes_into(m.signature));
  return Message(std::move(m));
}

Result<Digest::Place> read_place(CborReader& r) {
  Digest::Place place;
  DUNLIN_TRY(r.array_of(2));
  DUNLIN_ASSIGN(place.path, read_path(r));
  if (place.path.depth() == TriePath::kDepthMax)
    return r.error(Errc::malformed, "children where there are none");
  DUNLIN_TRY(r.array_of(place.children.size()));
  for (DigestTrie::ChildHash& child : place.children) DUNLIN_TRY(r.bytes_into(child));
  return place;
}

Result<Digest::Leaf> read_leaf(CborReader& r, std::size_t logs_max) {
  Digest::Leaf leaf;
  DUNLIN_TRY(r.array_of(3));
  DUNLIN_ASSIGN(leaf.path, read_path(r));
  DUNLIN_ASSIGN(leaf.last, r.boolean());
  DUNLIN_ASSIGN(const std::uint64_t logs, read_list(r, logs_max));
  for (std::uint64_t i = 0; i < logs; ++i) {
    Digest::Log log;
    DUNLIN_TRY(r.array_of(7));
    DUNLIN_ASSIGN(log.item, read_item(r));
    DUNLIN_ASSIGN(log.floor, r.uint());
    if (log.floor == 0 || log.floor > log.item.head + 1)
      return r.error(Errc::malformed, "a floor beyond the head");
    leaf.logs.push_back(std::move(log));
  }
  return leaf;
}

Result<Message> read_digest(CborReader& r) {
  Digest m;
  DUNLIN_TRY(r.bytes_into(m.roots.head));
  DUNLIN_TRY(r.bytes_into(m.roots.missing));
  DUNLIN_ASSIGN(const std::uint64_t places, read_list(r, kDigestPlacesMax));
  for (std::uint64_t i = 0; i < places; ++i) {
    DUNLIN_ASSIGN(Digest::Place place, read_place(r));
    m.places.push_back(place);
  }
  DUNLIN_ASSIGN(const std::uint64_t leaves, read_list(r, kDigestPlacesMax));
  std::size_t logs_left = kVectorLogsMax;
  for (std::uint64_t i = 0; i < leaves; ++i) {
    DUNLIN_ASSIGN(Digest::Leaf leaf, read_leaf(r, logs_left));
    logs_left -= leaf.logs.size();
    m.leaves.push_back(std::move(leaf));
  }
  return Message(std::move(m));
}

Result<Message> read_vector(CborReader& r) {
  Vector m;
  DUNLIN_ASSIGN(m.logs, read_items(r));
  DUNLIN_ASSIGN(m.whole, r.boolean());
  if (r.peek() == CborReader::Type::null) {
    DUNLIN_TRY(r.null());
    return Message(std::move(m));
  }
  DUNLIN_TRY(r.array_of(3));
  Vector::Storage storage;
  DUNLIN_ASSIGN(storage.log_bytes, r.uint());
  DUNLIN_ASSIGN(storage.free_bytes, r.uint());
  DUNLIN_ASSIGN(storage.written_bytes, r.uint());
  m.storage = storage;
  return Message(std::move(m));
}

Result<Message> read_ack(CborReader& r) {
  Ack m;
  DUNLIN_TRY(r.bytes_into(m.origin.bytes));
  DUNLIN_ASSIGN(m.nonce.value, r.uint());
  DUNLIN_ASSIGN(m.logs, read_items(r));
  DUNLIN_TRY(r.bytes_into(m.signature));
  return Message(std::move(m));
}

Result<Message> read_fetch(CborReader& r) {
  Fetch m;
  DUNLIN_ASSIGN(m.request, r.uint());
  DUNLIN_ASSIGN(m.credit, r.uint());
  if (m.request == 0) return r.error(Errc::malformed, "a request has a number");
  DUNLIN_ASSIGN(const std::uint64_t wants, read_list(r, kFetchLogsMax));
  for (std::uint64_t i = 0; i < wants; ++i) {
    Fetch::Want want;
    DUNLIN_TRY(r.array_of(4));
    DUNLIN_ASSIGN(want.log, read_log(r));
    DUNLIN_ASSIGN(want.wanted, decode_intervals(r));
    m.wants.push_back(std::move(want));
  }
  return Message(std::move(m));
}

Result<Message> read_segments(CborReader& r) {
  Segments m;
  DUNLIN_ASSIGN(const std::uint64_t lane, r.uint());
  if (lane > 1) return r.error(Errc::malformed, "lane");
  m.lane = static_cast<Lane>(lane);
  DUNLIN_ASSIGN(m.request, r.uint());
  DUNLIN_ASSIGN(m.done, r.boolean());
  DUNLIN_ASSIGN(const std::uint64_t segments, r.array());
  for (std::uint64_t i = 0; i < segments; ++i) {
    DUNLIN_ASSIGN(const ByteView bytes, r.bytes());
    if (bytes.size() > kSegmentBytesMax) return r.error(Errc::too_large, "a segment");
    m.segments.push_back(std::make_shared<const Bytes>(bytes.begin(), bytes.end()));
  }
  DUNLIN_ASSIGN(const std::uint64_t certificates, read_list(r, kSegmentCertificatesMax));
  for (std::uint64_t i = 0; i < certificates; ++i) {
    DUNLIN_ASSIGN(const ByteView bytes, r.bytes());
    if (bytes.size() > kCertificateBytesMax) return r.error(Errc::too_large, "a certificate");
    m.certificates.emplace_back(bytes.begin(), bytes.end());
  }
  return Message(std::move(m));
}

Result<Message> read_time_query(CborReader& r) {
  TimeQuery m;
  DUNLIN_ASSIGN(m.request, r.uint());
  return Message(m);
}

Result<Message> read_time_reply(CborReader& r) {
  TimeReply m;
  DUNLIN_TRY(r.bytes_into(m.asker.bytes));
  DUNLIN_ASSIGN(m.request, r.uint());
  DUNLIN_ASSIGN(m.utc, read_utc(r));
  DUNLIN_TRY(r.bytes_into(m.signature));
  return Message(m);
}

Result<Message> read_follow(CborReader& r) {
  Follow m;
  DUNLIN_ASSIGN(const std::uint64_t follows, read_list(r, kFollowsMax));
  for (std::uint64_t i = 0; i < follows; ++i) {
    Followed each;
    DUNLIN_TRY(r.array_of(2));
    DUNLIN_ASSIGN(each.node, read_name(r));
    if (r.peek() == CborReader::Type::null) {
      DUNLIN_TRY(r.null());
    } else {
      DUNLIN_ASSIGN(const std::uint64_t track, r.uint());
      each.track = Track{track};
    }
    m.follows.push_back(std::move(each));
  }
  return Message(std::move(m));
}

Result<LaterFields> read_later(CborReader& r, std::uint64_t items) {
  LaterFields later{items, {}};
  for (std::uint64_t i = 0; i < items; ++i) {
    DUNLIN_ASSIGN(const ByteView item, r.skip());
    later.cbor.insert(later.cbor.end(), item.begin(), item.end());
  }
  return later;
}

struct Layout {
  std::uint64_t code;
  std::uint64_t items;  // or more, of newer minor versions
  Result<Message> (*read)(CborReader&);
};
constexpr Layout kLayouts[] = {
    {Hello::kCode, 15, read_hello},         {Digest::kCode, 5, read_digest},
    {Vector::kCode, 4, read_vector},        {Fetch::kCode, 4, read_fetch},
    {Segments::kCode, 6, read_segments},    {Ack::kCode, 5, read_ack},
    {TimeQuery::kCode, 2, read_time_query}, {TimeReply::kCode, 5, read_time_reply},
    {Follow::kCode, 2, read_follow}};

Bytes labelled(std::string_view label) {
  return Bytes(label.begin(), label.end());
}

}  // namespace

Bytes hello_statement(const Hello& hello, const LaterFields& later) {
  Bytes out = labelled("dunlin/1 hello");
  CborWriter w(out);
  write_hello(w, hello, later, false), w.raw(later.cbor);
  return out;
}

Bytes ack_statement(const NodeId& sender, const Ack& ack, const Envelope& envelope) {
  Bytes out = labelled("dunlin/1 ack");
  CborWriter w(out);
  w.uint(envelope.nonce.value), w.uint(envelope.counter);
  write_ack(w, ack, envelope.later, &sender), w.raw(envelope.later.cbor);
  return out;
}

Bytes time_statement(const NodeId& sender, const TimeReply& reply, const LaterFields& later) {
  Bytes out = labelled("dunlin/1 time");
  CborWriter w(out);
  write_reply(w, reply, later, &sender), w.raw(later.cbor);
  return out;
}

Bytes encode_envelope(const Envelope& envelope) {
  Bytes out;
  if (const auto* segments = std::get_if<Segments>(&envelope.message)) {
    std::size_t size = 64;
    for (const auto& segment : segments->segments) size += segment->size() + 5;
    out.reserve(size);
  }
  CborWriter w(out);
  w.array(kEnvelopeItems), w.uint(kProtocolVersion), w.uint(kOpenKey);
  w.uint(envelope.nonce.value), w.uint(envelope.counter);
  std::visit(MessageWriter{w, envelope.later}, envelope.message);
  w.raw(envelope.later.cbor);
  return out;
}

Result<Envelope> decode_envelope(ByteView bytes) {
  if (bytes.size() > kMessageBytesMax) {
    return {Errc::too_large, "a message of " + std::to_string(bytes.size()) + " bytes"};
  }
  CborReader r(bytes);
  DUNLIN_ASSIGN(const std::uint64_t items, r.array());
  if (items == 0) return r.error(Errc::malformed, "an empty envelope");
  DUNLIN_ASSIGN(const std::uint64_t version, r.uint());
  if (version != kProtocolVersion) {
    return {Errc::unsupported, "speaks protocol " + std::to_string(version) +
                                   ", this program speaks " + std::to_string(kProtocolVersion)};
  }
  if (items != kEnvelopeItems) return r.error(Errc::malformed, "an envelope has 5 items");
  DUNLIN_ASSIGN(const std::uint64_t key, r.uint());
  if (key != kOpenKey) return {Errc::unsupported, "key id " + std::to_string(key)};
  Envelope envelope;
  DUNLIN_ASSIGN(envelope.nonce.value, r.uint());
  DUNLIN_ASSIGN(envelope.counter, r.uint());
  CborReader whole = r;
  DUNLIN_ASSIGN(const std::uint64_t fields, r.array());
  if (fields == 0) return r.error(Errc::malformed, "a message without a code");
  DUNLIN_ASSIGN(const std::uint64_t code, r.uint());
  for (const Layout& layout : kLayouts) {
    if (layout.code != code) continue;
    if (fields < layout.items) return r.error(Errc::malformed, "a message with too few items");
    DUNLIN_ASSIGN(envelope.message, layout.read(r));
    DUNLIN_ASSIGN(envelope.later, read_later(r, fields - layout.items));
    DUNLIN_TRY(r.finish());
    return envelope;
  }
  DUNLIN_ASSIGN(const ByteView cbor, whole.skip());
  DUNLIN_TRY(whole.finish());
  envelope.message = UnknownMessage{code, Bytes(cbor.begin(), cbor.end())};
  return envelope;
}

Lane peek_lane(ByteView envelope) {
  CborReader r(envelope);
  if (!r.array().ok()) return Lane::live;
  for (std::uint64_t i = 1; i < kEnvelopeItems; ++i) {
    if (!r.uint().ok()) return Lane::live;
  }
  if (!r.array().ok()) return Lane::live;
  const Result<std::uint64_t> code = r.uint();
  if (!code.ok() || *code != Segments::kCode) return Lane::live;
  const Result<std::uint64_t> lane = r.uint();
  return lane.ok() && *lane == static_cast<std::uint64_t>(Lane::bulk) ? Lane::bulk : Lane::live;
}

std::string_view message_name(const Message& message) {
  static constexpr std::string_view kNames[] = {"hello",    "digest", "vector",     "fetch",
                                                "segments", "ack",    "time_query", "time_reply",
                                                "follow",   "unknown"};
  return kNames[message.index()];
}

}  // namespace dunlin::replication
