#pragma once

#include <map>
#include <optional>
#include <vector>

#include "common/replication/io.h"
#include "common/replication/messages.h"

namespace dunlin::replication {

// When own logs of former epochs are to be sealed: when what a gateway said of one is a minute old
// and nothing newer came, and after each Seal of it that time doubles. So a log is not sealed
// before its branches are settled, and two machines with one key, which seal each other's logs, do
// not go on so for ever.
class Endings {
 public:
  // A gateway has that much of a log that does not go on here, and no other branch of it.
  void heard(const Moment& now, const Vector::Item& item);
  // It has another branch.
  void forget(const LogId& log);
  std::vector<Vector::Item> take_due(const Moment& now);
  std::optional<Instant> next_deadline() const;

 private:
  struct Ending {
    Vector::Item item;
    std::optional<Instant> due;
    Duration wait{};
  };
  std::map<LogId, Ending> endings_;
};

}  // namespace dunlin::replication
