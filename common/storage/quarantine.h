#pragma once

#include <string>
#include <vector>

#include "common/log/stored.h"
#include "common/storage/sqlite.h"

namespace dunlin::storage {

// What a store was handed and did not take, in its table `quarantine`, for a person to look at: at
// most 1000 segments and 16 MiB. Beyond that the oldest goes of whoever has most there, each item
// counted with 2 KiB besides its bytes, so that nobody pushes out what others are accused of.
// Borrows the connection, in whose transaction it writes. Another process may list, release and
// discard while a program runs.
class Quarantine {
 public:
  struct Item {
    std::int64_t id = 0;  // 0 = a branch of a log that lost: it stays as evidence
    NodeId peer;          // on whose topic it came, or whose log it is
    std::string reason;   // to_string(Errc), or "fork"
    std::string detail;
    UtcMicros at = 0;  // when it came last; 0 = not known
    std::uint64_t times = 1;
    std::uint64_t bytes = 0;
    bool released = false;  // and not taken up yet
  };

  explicit Quarantine(Connection& db) : db_(db) {}

  Result<void> keep(const Quarantined& refused);
  Result<std::vector<Item>> list();  // by id; branches last
  Result<std::uint64_t> count();     // without branches
  // Lets the program look at it again; what it refuses again comes back here. False: no such id.
  Result<bool> release(std::int64_t id);
  Result<bool> discard(std::int64_t id);
  // Takes out what was released.
  Result<std::vector<Quarantined>> take_released();

 private:
  Connection& db_;
};

}  // namespace dunlin::storage
