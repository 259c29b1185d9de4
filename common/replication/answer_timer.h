#pragma once

#include <array>

#include "common/base/random.h"
#include "common/base/time.h"

namespace dunlin::replication {

// When to answer what many heard, so that few do: whoever is first is heard by the others before
// their time comes. Of N nodes each waits
//
//   c * log(1 + u * (N - 1)) / log(N),  u uniform in [0, 1),  c = max(200 ms, 20 * p95 of the echo)
//
// so about as many wait less than t as ever more fit into what is left of c: few are early, and
// most late. The echo is how long the broker takes from a node to a node: what we send comes back
// to us. Gateways answer in the first tenth, agents in the rest, so that agents answer where no
// gateway is.
class AnswerTimer {
 public:
  // A message of ours came back after so long.
  void echoed(Duration after);
  // N is `nodes`, this one included.
  Duration draw(Random& random, std::size_t nodes, bool gateway) const;
  Duration span() const;  // c

 private:
  std::array<Duration, 32> echoes_{};  // the latest, in turn
  std::size_t heard_ = 0;
};

// log2 of a number with 16 binary places, rounded down, with as many; `x` is at least 1.
std::uint64_t log2_fixed(std::uint64_t x);

}  // namespace dunlin::replication
