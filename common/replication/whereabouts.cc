#include "common/replication/whereabouts.h"

#include <algorithm>

namespace dunlin::replication {

Whereabouts::Whereabouts(std::vector<std::string> names) : names_(std::move(names)) {
  const auto backbone = std::find(names_.begin(), names_.end(), kBackboneName);
  if (backbone != names_.end()) backbone_ = static_cast<CellIndex>(backbone - names_.begin());
}

void Whereabouts::heard(const NodeId& node, CellIndex cell) {
  std::vector<CellIndex>& cells = nodes_[node];
  const auto at = std::lower_bound(cells.begin(), cells.end(), cell);
  if (at == cells.end() || *at != cell) cells.insert(at, cell);
}

bool Whereabouts::met(const NodeId& node, CellIndex cell) const {
  const auto known = nodes_.find(node);
  return known != nodes_.end() &&
         std::binary_search(known->second.begin(), known->second.end(), cell);
}

CellIndex Whereabouts::reach(const NodeId& node) const {
  const auto known = nodes_.find(node);
  if (known == nodes_.end()) return 0;
  return backbone_ && met(node, *backbone_) ? *backbone_ : known->second.front();
}

std::string_view Whereabouts::home(const NodeId& node) const {
  const auto known = nodes_.find(node);
  if (known == nodes_.end()) return {};
  for (const CellIndex cell : known->second) {
    if (cell != backbone_) return names_[cell];
  }
  return {};
}

}  // namespace dunlin::replication
