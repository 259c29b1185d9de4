#include "common/storage/placement.h"

#include <algorithm>

namespace dunlin::storage {

Result<Placement> Placement::make(const Options& options, const std::vector<Found>& found) {
  Placement placement(options);
  std::vector<Found>& all = placement.elsewhere_;
  all = found;
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  const auto twice = std::adjacent_find(
      all.begin(), all.end(), [](const Found& a, const Found& b) { return a.first == b.first; });
  if (twice != all.end()) {
    return {Errc::exists, "node " + twice->first.to_string() + " is in shards " +
                              std::to_string(twice->second) + " and " +
                              std::to_string(std::next(twice)->second)};
  }
  std::erase_if(all, [&](const Found& item) { return placement.by_id(item.first) == item.second; });
  all.shrink_to_fit();
  if (const std::size_t own = placement.of(options.self); own != 0)
    return {Errc::exists, "this node's own logs are in shard " + std::to_string(own)};
  return placement;
}

std::size_t Placement::of(const NodeId& node) const {
  const auto at = std::lower_bound(elsewhere_.begin(), elsewhere_.end(), Found{node, 0});
  return at != elsewhere_.end() && at->first == node ? at->second : by_id(node);
}

std::size_t Placement::by_id(const NodeId& node) const {
  if (node == options_.self || node == options_.authority) return 0;
  return std::hash<NodeId>{}(node) % options_.spread;
}

}  // namespace dunlin::storage
