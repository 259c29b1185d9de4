#pragma once

#include <memory>
#include <vector>

#include "common/log/signer.h"
#include "tests/simulation/checkers.h"
#include "tests/simulation/cluster.h"

namespace dunlin::simulation {

// A member whose key is in hostile hands. It says what it likes: false heads, two branches of its
// own log, vectors, acknowledgements and times in the name of others, requests for everything, what
// it heard, logs of a stranger, and garbage. Mostly where a broker lets it write, and sometimes as
// somebody else, as if the broker helped it.
class HostileNode {
 public:
  HostileNode(Cluster& cluster, replication::Role role, std::uint64_t seed);

  NodeId id() const { return key_->node(); }
  // Says one thing, at random.
  void act();
  // So often, one each `every`.
  void act_for(int times, Duration every);
  // Adds to what is wrong has a log of somebody who was never admitted.
  void look(Problems& problems) const;

 private:
  struct Place {
    replication::TopicClass topic;
    NodeId writer;
    NodeId reader = {};
  };

  bool is_gateway() const { return role_ == replication::Role::gateway; }
  SimNode& somebody();
  NodeId some_gateway();
  Bytes heard();
  Hash some_hash();
  LogId some_log(SimNode& of);
  Place some_place();
  void publish(const Place& place, ByteView payload);
  replication::Envelope envelope(replication::Message message);
  void say(const Place& place, replication::Message message);

  void greet();
  void grow_a_branch();
  void lie_in_a_vector();
  void ask_for_everything();
  void acknowledge();
  void tell_a_wrong_time();
  void make_noise();

  Cluster& cluster_;
  replication::Role role_;
  Random random_;
  std::unique_ptr<Signer> key_;
  std::unique_ptr<Signer> stranger_;  // another's, whom nobody admitted
  Bytes certificate_;                 // over the first
  Nonce nonce_{1};
  std::uint64_t counter_ = 0;
  std::vector<Bytes> heard_;
};

// The fleet's authority says that it is no member any more: of its logs nothing counts.
void revoke(Cluster& cluster, const NodeId& node);

}  // namespace dunlin::simulation
