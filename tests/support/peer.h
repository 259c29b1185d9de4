#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "common/replication/envelope.h"
#include "tests/support/segment_maker.h"

namespace dunlin::test {

// A node that a test speaks for: its messages, in envelopes of its own instance.
class Peer : public SegmentMaker {
 public:
  explicit Peer(replication::Role role = replication::Role::agent, std::shared_ptr<Signer> key = {})
      : SegmentMaker(Epoch{5}, std::move(key)), role_(role) {}

  // Another with the same key, which begins the same logs anew.
  Peer twin() const { return Peer(role_, shared_key()); }

  replication::Envelope envelope_of(replication::Message message) {
    return {nonce, ++counter_, std::move(message), later};
  }
  Bytes wrap(replication::Message message) {
    return replication::encode_envelope(envelope_of(std::move(message)));
  }
  Bytes hello(replication::NodeState state = replication::NodeState::up,
              std::vector<replication::Hello::Head> heads = {}) {
    replication::Hello hello;
    hello.node = node();
    hello.public_key = key().public_key();
    hello.name = name;
    hello.role = role_;
    hello.state = state;
    hello.heads = std::move(heads);
    hello.nonce = nonce;
    hello.counter = counter_ + 1;
    hello.hlc = hlc;
    hello.utc = utc;
    hello.minor = minor;
    hello.capabilities = capabilities;
    hello.certificate = certificate;
    hello.signature = key().sign(hello_statement(hello, later)).value();
    return wrap(std::move(hello));
  }
  Bytes time_reply(const NodeId& asker, std::uint64_t request, UtcMicros now) {
    replication::TimeReply reply{asker, request, now, {}};
    reply.signature = key().sign(time_statement(node(), reply, later)).value();
    return wrap(reply);
  }
  Bytes ack(const NodeId& origin, Nonce instance, std::vector<replication::Vector::Item> logs) {
    replication::Ack ack{origin, instance, in_order(std::move(logs)), {}};
    replication::Envelope envelope = envelope_of({});
    ack.signature = key().sign(ack_statement(node(), ack, envelope)).value();
    envelope.message = std::move(ack);
    return encode_envelope(envelope);
  }
  Bytes vector(std::vector<replication::Vector::Item> logs, bool whole = true) {
    return wrap(replication::Vector{in_order(std::move(logs)), whole});
  }
  // Pushed, or in answer to a request.
  Bytes segments(const std::vector<SegmentRecord>& records, std::uint64_t request = 0,
                 bool done = false) {
    replication::Segments message;
    message.lane = request == 0 ? replication::Lane::live : replication::Lane::bulk;
    message.request = request;
    message.done = done;
    for (const SegmentRecord& record : records) message.segments.push_back(record.bytes);
    return wrap(std::move(message));
  }

  Nonce nonce{4711};  // another one is another instance
  Hlc hlc;            // of its Hello, as is its clock
  std::optional<UtcMicros> utc;
  std::uint64_t minor = 0;
  std::vector<std::string> capabilities;
  std::string name = "peer";
  Bytes certificate;               // of a fleet with an authority
  replication::LaterFields later;  // of every message, as a node of a newer minor version

 private:
  static std::vector<replication::Vector::Item> in_order(
      std::vector<replication::Vector::Item> logs) {
    std::sort(logs.begin(), logs.end(), [](const auto& a, const auto& b) { return a.log < b.log; });
    return logs;
  }

  replication::Role role_;
  std::uint64_t counter_ = 0;
};

}  // namespace dunlin::test
