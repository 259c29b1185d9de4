#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/runtime/replica_start.h"
#include "tests/simulation/keys.h"
#include "tests/simulation/store/sim_store.h"
#include "tests/support/peer.h"

namespace dunlin::replication::test {

using dunlin::test::Peer;
using dunlin::test::SegmentMaker;

// Gateways with stores in memory and light keys, and the bus between them, which takes 5 ms. Time
// stands still until pass(); storage answers at once.
class GatewayNet {
 public:
  struct Gateway {
    std::vector<std::string> cells;
    std::unique_ptr<Signer> key;
    std::unique_ptr<simulation::Medium> medium = simulation::make_memory_medium(1);
    std::unique_ptr<simulation::SimStore> store;
    std::unique_ptr<Replica> replica;
    bool linked = false;

    const NodeId& node() const { return key->node(); }
  };
  struct Message {
    Instant at;
    NodeId from;
    TopicClass topic;
    NodeId target;
    std::string cell;
    std::size_t bytes;
    Envelope envelope;
  };

  // `more` are logs of which it holds no body.
  Gateway& add(std::vector<std::string> cells, std::vector<LogState> more = {}) {
    gateways_.push_back(std::make_unique<Gateway>());
    Gateway& added = *gateways_.back();
    const std::uint64_t number = gateways_.size();
    added.cells = std::move(cells);
    added.key = simulation::light_key(number);
    added.store = *added.medium->open(added.node(), Epoch{number}, *verifier_);
    ReplicaOptions options;
    options.role = Role::gateway;
    options.cells = added.cells;
    options.origin.name = "gateway" + std::to_string(number);
    options.uplink.pushes = false;
    options.seed = number;
    added.replica = std::make_unique<Replica>(options, Nonce{100 + number}, *added.key, *verifier_);
    ReplicaStart start = runtime::replica_start(added.store->load().value());
    for (LogState& log : more) start.logs.push_back(std::move(log));
    EXPECT_TRUE(added.replica->start(now_, std::move(start)).ok());
    serve(added);
    return added;
  }
  void link(Gateway& gateway) {
    gateway.linked = true;
    step(gateway, LinkUp{});
    for (const auto& [place, received] : retained_) {
      if (place.second != gateway.node()) deliver(gateway, place.first, received);
    }
  }

  // An agent pushes to a gateway alone, in its first cell.
  void push(Gateway& gateway, Peer& agent, const std::vector<SegmentRecord>& segments) {
    step(gateway, Received{TopicClass::live, agent.node(), agent.segments(segments), false, 0});
  }
  void step(Gateway& gateway, Input input) {
    EXPECT_TRUE(gateway.replica->step(now_, std::move(input)).ok());
    serve(gateway);
  }
  void pass(Duration time) {
    const Instant end = now_.mono + time;
    for (;;) {
      Instant next = end;
      if (!flying_.empty()) next = std::min(next, flying_.begin()->first);
      for (const auto& each : gateways_)
        next = std::min(next, each->replica->next_deadline().value_or(end));
      now_.utc += (std::max(next, now_.mono) - now_.mono).count();
      now_.mono = std::max(next, now_.mono);
      bool still = true;
      while (!flying_.empty() && flying_.begin()->first <= now_.mono) {
        auto [to, received] = std::move(flying_.begin()->second);
        flying_.erase(flying_.begin());
        if (to->linked) step(*to, std::move(received));
        still = false;
      }
      for (const auto& each : gateways_) {
        if (each->replica->next_deadline().value_or(Instant::max()) > now_.mono) continue;
        step(*each, DeadlinePassed{});
        still = false;
      }
      if (still && now_.mono >= end) return;
    }
  }
  // Passes seconds until that holds; whether it did.
  bool pass_until(Duration patience, const std::function<bool()>& holds) {
    for (const Instant end = now_.mono + patience; now_.mono < end && !holds();)
      pass(std::chrono::seconds(1));
    return holds();
  }

  const Moment& now() const { return now_; }
  // What is held of a log.
  static LogState held(const Gateway& gateway, const LogId& log) {
    const storage::LogStore::Contents contents = gateway.store->load().value();
    for (const LogState& state : contents.logs) {
      if (state.id() == log) return state;
    }
    return LogState(log);
  }

  std::vector<Message> sent;                       // all that the bus was given
  std::function<bool(const Message&)> loses = {};  // what it loses
  std::unique_ptr<Verifier> verifier_ = simulation::make_light_verifier();

 private:
  void serve(Gateway& gateway) {
    while (std::optional<Output> output = gateway.replica->poll()) {
      std::optional<Input> answer;
      if (const auto* write = std::get_if<Write>(&*output)) {
        answer = WriteFinished{write->token, gateway.store->commit(*write)};
      } else if (const auto* read = std::get_if<Read>(&*output)) {
        answer = ReadFinished{read->token,
                              gateway.store->read(read->log, read->interval, read->bytes_max)};
      } else if (auto* send = std::get_if<Send>(&*output)) {
        carry(gateway, std::move(*send));
      }
      if (!answer) continue;
      EXPECT_TRUE(gateway.replica->step(now_, *std::move(answer)).ok());
    }
  }
  void carry(Gateway& from, Send send) {
    if (!from.linked || send.payload.empty()) return;
    for (CellIndex cell = 0; cell < from.cells.size(); ++cell) {
      if (send.cell != kEveryCell && send.cell != cell) continue;
      Message message{now_.mono,
                      from.node(),
                      send.topic,
                      send.target,
                      from.cells[cell],
                      send.payload.size(),
                      decode_envelope(send.payload).value()};
      const bool lost = loses && loses(message);
      sent.push_back(std::move(message));
      if (lost) continue;
      const Received received{send.topic, from.node(), send.payload, is_retained(send.topic), 0};
      if (is_retained(send.topic)) retained_[{from.cells[cell], from.node()}] = received;
      for (const auto& to : gateways_) {
        if (send.topic == TopicClass::inbox && to->node() != send.target) continue;
        if (to->linked) deliver(*to, from.cells[cell], received);
      }
    }
  }
  void deliver(Gateway& to, const std::string& cell, Received received) {
    const auto at = std::find(to.cells.begin(), to.cells.end(), cell);
    if (at == to.cells.end()) return;
    received.cell = static_cast<CellIndex>(at - to.cells.begin());
    flying_.emplace(now_.mono + std::chrono::milliseconds(5), std::pair(&to, std::move(received)));
  }

  Moment now_{Instant(std::chrono::hours(1)), SegmentMaker::kStart, true};
  std::vector<std::unique_ptr<Gateway>> gateways_;
  std::multimap<Instant, std::pair<Gateway*, Received>> flying_;
  std::map<std::pair<std::string, NodeId>, Received> retained_;
};

}  // namespace dunlin::replication::test
