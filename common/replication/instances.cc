#include "common/replication/instances.h"

#include <algorithm>

namespace dunlin::replication {

bool Instances::heard(Nonce nonce, std::uint64_t counter) {
  const auto it = std::find_if(known_.begin(), known_.end(),
                               [&](const Instance& known) { return known.nonce == nonce; });
  bool turn = false;
  if (it != known_.end()) {
    turn = it + 1 != known_.end() && counter > it->counter;
    const Instance same{nonce, std::max(counter, it->counter)};
    if (!turn && it + 1 != known_.end()) return false;  // said before it was replaced
    known_.erase(it);
    known_.push_back(same);
  } else {
    if (known_.size() == kKnownMax) known_.erase(known_.begin());
    known_.push_back({nonce, counter});
  }
  turns_ += turn && !cloned() ? 1 : 0;
  return turn && cloned();
}

}  // namespace dunlin::replication
