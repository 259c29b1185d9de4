#pragma once

#include <optional>
#include <set>

#include "common/replication/context.h"

namespace dunlin::replication {

// Asks gateways for the time while this node does not know it, tells it to who asks, and decides
// when the others should hear anew how this node's clock stands.
//
// An answer is signed, names the question, and is as exact as half of what the exchange took.
class TimeSync {
 public:
  explicit TimeSync(Context& context) : c_(context) {}

  // `newcomer`: it came after our Hello, so what it sees of that is no news of our clock.
  void on_gateway_up(const Moment& now, const NodeId& gateway, bool newcomer);
  void on_gateway_down(const NodeId& gateway) { gateways_.erase(gateway); }
  void on_link_down() { gateways_.clear(); }

  Result<void> on_query(const Moment& now, const NodeId& asker, const TimeQuery& query);
  // `key`: the public key of a gateway that is up.
  Result<void> on_reply(const Moment& now, const NodeId& gateway, const TimeReply& reply,
                        const LaterFields& later, ByteView key);

  // After every step: true when Hello should go out with the clock as it is now.
  bool look(const Moment& now);
  // Hello went out.
  void announced(const Moment& now);
  std::optional<Instant> next_deadline() const;

 private:
  struct Asked {
    NodeId gateway;
    std::uint64_t request = 0;
    Instant at;
  };
  struct Announced {
    bool synchronised = false;
    Duration ahead{};  // of the monotonic clock
    Instant at;
  };

  void ask(const Moment& now);

  Context& c_;
  std::set<NodeId> gateways_;  // within reach
  std::optional<Asked> asked_;
  std::optional<Instant> look_at_;  // while the time is not known
  Duration ask_after_{};
  std::optional<Announced> announced_;
  std::optional<Instant> announce_at_;
  Instant answers_since_{};
  std::set<NodeId> answered_;  // since then
};

}  // namespace dunlin::replication
