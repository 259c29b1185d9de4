#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/ids.h"

namespace dunlin::storage {

// Which shard has what there is of a node: all of it is in one, since its track 0 is committed
// together with what that says of its other logs. The node's own logs and those of the fleet's
// authority are in the first. Others stay where they are found; who is new goes where its id says.
class Placement {
 public:
  struct Options {
    NodeId self;
    std::optional<NodeId> authority = {};
    std::size_t spread = 1;  // who is new goes to one of the first so many
  };
  using Found = std::pair<NodeId, std::uint8_t>;

  // `found`: of every node that is stored somewhere. `exists` when one is in two shards, or the
  // node itself in another one than the first.
  static Result<Placement> make(const Options& options, const std::vector<Found>& found);

  std::size_t of(const NodeId& node) const;
  bool is_authority(const NodeId& node) const { return node == options_.authority; }

 private:
  explicit Placement(const Options& options) : options_(options) {}
  std::size_t by_id(const NodeId& node) const;

  Options options_;
  std::vector<Found> elsewhere_;  // than their ids say; ascending
};

}  // namespace dunlin::storage
