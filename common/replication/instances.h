#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/base/ids.h"

namespace dunlin::replication {

// The instances of one node, by the nonces that it draws at its starts. One that was replaced is
// gone for good; when instances take turns, two machines run with one key. A message that came late
// looks like a turn as well, so it takes three.
class Instances {
 public:
  // A Hello of an instance, `counter` of its Hellos. True when it makes the node a clone, or shows
  // it once more.
  bool heard(Nonce nonce, std::uint64_t counter);
  bool cloned() const { return turns_ >= kTurns; }

 private:
  static constexpr std::size_t kKnownMax = 4;
  static constexpr int kTurns = 3;
  struct Instance {
    Nonce nonce;
    std::uint64_t counter = 0;
  };
  std::vector<Instance> known_;  // the present one last
  int turns_ = 0;
};

}  // namespace dunlin::replication
