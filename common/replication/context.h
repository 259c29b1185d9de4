#pragma once

#include <algorithm>
#include <deque>
#include <set>

#include "common/base/random.h"
#include "common/replication/clock.h"
#include "common/replication/envelope.h"
#include "common/replication/io.h"
#include "common/replication/log_table.h"

namespace dunlin::replication {

inline constexpr std::uint64_t kGreetingSpread = 2'000'000;  // us: a cell greets in no chorus

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
  Clock clock = {};
  std::set<LogId> running_out = {};  // own logs near a bound: their oldest entries may go soon

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
  // What is held of the logs of `origin`. A message has room for so many gaps: of a log with more
  // only the part before them is told, never a gap left out.
  std::vector<Vector::Item> vector_of(const NodeId& origin) {
    constexpr std::size_t kGapsMax = 256;
    std::size_t room = 8 * kGapsMax;  // for gaps, in the whole message
    std::vector<Vector::Item> items;
    const auto [begin, end] = table.of(origin);
    for (auto it = begin; it != end && items.size() < kVectorLogsMax; ++it) {
      const LogState& state = it->second.state;
      if (state.head() == 0) continue;
      Vector::Item item{it->first, state.head(), state.head_hash(), state.missing()};
      const std::size_t gaps_max = std::min(kGapsMax, room);
      if (item.missing.intervals().size() > gaps_max) {
        const LogState::Run* run = state.last_run_before(item.missing.intervals()[gaps_max].first);
        if (run == nullptr) continue;
        item.head = run->last, item.hash = run->after;
        item.missing.erase({item.head + 1, state.head()});
      }
      room -= item.missing.intervals().size();
      items.push_back(std::move(item));
    }
    return items;
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
