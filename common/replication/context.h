#pragma once

#include <algorithm>
#include <deque>
#include <set>

#include "common/base/random.h"
#include "common/replication/clock.h"
#include "common/replication/envelope.h"
#include "common/replication/gateways.h"
#include "common/replication/io.h"
#include "common/replication/log_table.h"
#include "common/replication/members.h"

namespace dunlin::replication {

inline constexpr std::uint64_t kGreetingSpread = 2'000'000;  // us: a cell greets in no chorus

// What the parts of one replica share. Owned by the Replica; the parts keep a reference.
struct Context {
  Signer& signer;
  Verifier& verifier;
  Random random;
  Nonce nonce;
  Epoch epoch;
  Members members;
  Whereabouts where;
  Gateways gateways;
  LogTable table;
  Stats stats;
  std::deque<Output> outputs;
  Token last_token = 0;
  std::uint64_t last_counter = 0;
  bool link_up = false;
  Clock clock = {};
  std::optional<Vector::Storage> storage = {};  // of this node, as it was last counted
  std::set<LogId> running_out = {};  // own logs near a bound: their oldest entries may go soon

  const NodeId& self() const { return signer.node(); }
  Token next_token() { return ++last_token; }

  // What a node is called, by the authority if there is one; empty when nobody said.
  const std::string& name_of(const NodeId& node) {
    static const std::string kNobody;
    if (members.authority() != nullptr && members.check(node).ok()) return *members.name_of(node);
    const auto known = table.nodes.find(node);
    return known == table.nodes.end() ? kNobody : known->second.name;
  }

  void send(TopicClass topic, const NodeId& target, Lane lane, Message message) {
    send(topic, target, lane, Envelope{nonce, ++last_counter, std::move(message)});
  }
  // An inbox where its reader is, other topics in the cell of this node: gateways have several, and
  // send to inboxes, or say where.
  void send(TopicClass topic, const NodeId& target, Lane lane, const Envelope& envelope) {
    send_in(topic == TopicClass::inbox ? where.reach(target) : 0, topic, target, lane, envelope);
  }
  void send_in(CellIndex cell, TopicClass topic, const NodeId& target, Lane lane,
               const Envelope& envelope) {
    const std::string_view name = message_name(envelope.message);
    Bytes payload = encode_envelope(envelope);
    Stats::Traffic& sent = stats.traffic[{false, lane, name}];
    sent.messages += 1;
    sent.bytes += payload.size();
    outputs.push_back(Send{topic, target, std::move(payload), lane, name, cell});
  }
  // What is held of the logs of `origin`, or only of some of them. A message has room for so many
  // gaps: of a log with more only the part before them is told, never a gap left out.
  Vector vector_of(const NodeId& origin, const std::set<LogId>* only = nullptr) {
    constexpr std::size_t kGapsMax = 256;
    std::size_t room = 8 * kGapsMax;  // for gaps, in the whole message
    Vector vector{{}, only == nullptr};
    const auto [begin, end] = table.of(origin);
    for (auto it = begin; it != end; ++it) {
      const LogState& state = it->second.state;
      if (state.head() == 0 || (only != nullptr && !only->contains(it->first))) continue;
      Vector::Item item{it->first, state.head(), state.head_hash(), state.missing()};
      const std::size_t gaps_max = std::min(kGapsMax, room);
      if (item.missing.intervals().size() > gaps_max) {
        const LogState::Run* run = state.last_run_before(item.missing.intervals()[gaps_max].first);
        item.head = run == nullptr ? 0 : run->last;
        if (run != nullptr) item.hash = run->after;
        item.missing.erase({item.head + 1, state.head()});
      }
      if (item.head == 0 || vector.logs.size() == kVectorLogsMax) {
        vector.whole = false;
        continue;
      }
      room -= item.missing.intervals().size();
      vector.logs.push_back(std::move(item));
    }
    return vector;
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
