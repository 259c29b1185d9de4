#pragma once

#include <optional>
#include <set>

#include "common/replication/interest.h"
#include "common/replication/receiver.h"

namespace dunlin::replication {

// Of an agent that follows nodes by name: tells the gateways so (Follow), now and then again. They
// answer with what they have of those logs, from where it is fetched like everything else, and
// hand on in this cell what they store of them.
class Follower {
 public:
  Follower(Context& context, Receiver& receiver, const Interest& interest)
      : c_(context), receiver_(receiver), interest_(interest) {}

  // Whether a log is one of those, as far as its node's name is known.
  bool follows(const LogId& log) const;
  // What a node in this cell is called.
  void met(const NodeId& node, std::string_view name);
  // It is there, or may have forgotten what it was told.
  void on_gateway_up(const Moment& now, const NodeId& gateway);
  void on_gateway_down(const NodeId& gateway) { gateways_.erase(gateway); }
  void on_link_down();
  void on_answer(const Moment& now, const NodeId& gateway, const Digest& answer);
  void on_deadline(const Moment& now);
  std::optional<Instant> next_deadline() const { return due_; }

 private:
  static constexpr std::size_t kNodesMax = 4096;

  void learn(const NodeId& node);

  Context& c_;
  Receiver& receiver_;
  const Interest& interest_;
  std::set<NodeId> gateways_;  // that are up
  std::set<NodeId> nodes_;     // that bear such a name, by what others say
  std::optional<Instant> due_;
  Duration period_{};
};

}  // namespace dunlin::replication
