#pragma once

#include <map>
#include <optional>
#include <vector>

#include "common/base/ids.h"
#include "common/base/time.h"

namespace dunlin::replication {

// When a gateway signs for what it holds. A signature costs it a third of a millisecond and its
// check costs the agent four times that, so many commits share one: it goes out a second after the
// first of them, or when they hold this much.
class Acknowledger {
 public:
  static constexpr Duration kDelay = std::chrono::seconds(1);
  static constexpr std::size_t kBytes = 512 * 1024;

  // So many more bytes of the logs of `origin` are durable; 0 = it asks again.
  void durable(const NodeId& origin, std::size_t bytes, Instant now);
  std::vector<NodeId> take_due(Instant now);
  std::optional<Instant> next_deadline() const { return next_; }

 private:
  struct Due {
    Instant at;
    std::size_t bytes = 0;
  };
  std::map<NodeId, Due> due_;
  std::optional<Instant> next_;  // the earliest of them
};

}  // namespace dunlin::replication
