#pragma once

#include <deque>

#include "common/base/random.h"
#include "common/replication/io.h"
#include "common/replication/log_table.h"

namespace dunlin::replication {

// What the parts of one replica share. Owned by the Replica; the parts keep a reference.
struct Context {
  Signer& signer;
  Verifier& verifier;
  Random random;
  Nonce nonce;
  Epoch epoch;
  LogTable table;
  Stats stats;
  std::deque<Output> outputs;
  Token last_token = 0;
  std::uint64_t last_counter = 0;
  bool link_up = false;

  const NodeId& self() const { return signer.node(); }
  Token next_token() { return ++last_token; }

  void send(TopicClass topic, const NodeId& target, Lane lane, Message message) {
    const std::string_view name = message_name(message);
    Bytes payload = encode_envelope({nonce, ++last_counter, std::move(message)});
    Stats::Traffic& sent = stats.traffic[{false, lane, name}];
    sent.messages += 1;
    sent.bytes += payload.size();
    outputs.push_back(Send{topic, target, std::move(payload), lane, name});
  }
  void notice(Notice::Kind kind, const NodeId& node, std::string detail) {
    outputs.push_back(Notice{kind, node, std::move(detail)});
  }
  void refuse(const NodeId& peer, const Error& error) {
    stats.refused[to_string(error.code)] += 1;
    notice(Notice::Kind::refused, peer, error.message());
  }
};

}  // namespace dunlin::replication
