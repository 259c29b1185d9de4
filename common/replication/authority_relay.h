#pragma once

#include <set>

#include "common/replication/receiver.h"

namespace dunlin::replication {

// The log of the fleet's authority, of which every node has a copy: it is small, and whoever is
// new finds all of it retained on a topic of its own in each cell. Whoever published that, the
// authority's signatures make it true. Gateways publish what they have some seconds after each
// connect, and when something else is shown: a broker may have lost it, or show an old one or none.
class AuthorityRelay {
 public:
  AuthorityRelay(Context& context, Receiver& receiver, bool publishes)
      : c_(context), receiver_(receiver), publishes_(publishes) {}

  Result<void> on_segments(const Moment& now, const NodeId& topic_node, const Segments& segments);
  void on_link_up(const Moment& now);
  void on_link_down() { due_.reset(), reads_.clear(); }
  void publish_soon(const Moment& now);
  bool on_read_finished(const ReadFinished& finished);  // false: not ours
  void on_deadline(const Moment& now);
  std::optional<Instant> next_deadline() const { return due_; }

 private:
  Context& c_;
  Receiver& receiver_;
  bool publishes_;
  std::optional<Instant> due_;  // to publish what is here
  std::set<Token> reads_;       // for that, under way
  std::vector<std::shared_ptr<const Bytes>> read_;
};

}  // namespace dunlin::replication
