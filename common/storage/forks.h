#pragma once

#include "common/base/ids.h"
#include "common/base/sha256.h"
#include "common/storage/sqlite.h"

namespace dunlin::storage {

// What was seen of branches that lost, in a store's table `forks`: at most 64 MiB of one node, but
// one segment of each log in any case, so that the fork stays known. Borrows the connection, in
// whose transaction it writes.
class Forks {
 public:
  struct Branch {
    Seq seq = 0;   // the first with two hashes
    Hash after{};  // of the last entry
    ByteView body;
  };

  explicit Forks(Connection& db) : db_(db) {}

  // What may be added of a node, in bytes. Cost: its segments here.
  Result<std::int64_t> room(const NodeId& node);
  // Takes from the `room` of the log's node. False when it is kept already, or nothing is left.
  Result<bool> keep(std::int64_t log, const Branch& branch, std::int64_t& room);
  Result<std::uint64_t> count();
  Result<std::uint64_t> count_of(std::int64_t log);

 private:
  Connection& db_;
};

}  // namespace dunlin::storage
