#pragma once

#include <map>
#include <optional>
#include <set>

#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/replication/whereabouts.h"

namespace dunlin::runtime {

// Who floods, and is not listened to for a while: what it sends would stand before what others do
// on the one connection that all of it comes by, however soon it is thrown away here. Of honest
// nodes hardly anything is refused: they send little ahead of what is confirmed. Not thread-safe.
class Muted {
 public:
  explicit Muted(Duration time) : time_(time) {}

  struct Writer {
    replication::CellIndex cell = 0;  // where it writes
    NodeId node;
    auto operator<=>(const Writer&) const = default;
  };

  // A mailbox had no room for what that one wrote. True: this was too much, and it is muted.
  bool refused(const Writer& writer, std::size_t bytes, Instant now);
  // True: their time is over, and nobody is muted any more. All of them end together, so that those
  // whom nobody knows yet are heard again then.
  bool lift(Instant now);
  std::optional<Instant> deadline() const;
  const std::set<Writer>& writers() const { return writers_; }

 private:
  const Duration time_;
  std::set<Writer> writers_;
  Instant until_{};  // of all of them
  // What was refused of whom in an eighth of a second, in bytes; the next one begins anew.
  std::map<Writer, std::size_t> refused_;
  Instant counted_since_{};
};

}  // namespace dunlin::runtime
