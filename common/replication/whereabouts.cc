#include "common/replication/whereabouts.h"

#include <algorithm>

namespace dunlin::replication {

Whereabouts::Whereabouts(std::vector<std::string> names) : names_(std::move(names)) {
  const auto backbone = std::find(names_.begin(), names_.end(), kBackboneName);
  if (backbone != names_.end()) backbone_ = static_cast<CellIndex>(backbone - names_.begin());
}

void Whereabouts::heard(const NodeId& node, CellIndex cell) {
  heard_.emplace(node, cell);
}

void Whereabouts::forget(const NodeId& node) {
  heard_.erase(heard_.lower_bound({node, 0}), heard_.upper_bound({node, kEveryCell}));
}

bool Whereabouts::met(const NodeId& node, CellIndex cell) const {
  return heard_.contains({node, cell});
}

std::vector<NodeId> Whereabouts::met_in(CellIndex cell) const {
  std::vector<NodeId> out;
  for (const auto& [node, where] : heard_) {
    if (where == cell) out.push_back(node);
  }
  return out;
}

const CellIndex* Whereabouts::first_of(const NodeId& node) const {
  const auto at = heard_.lower_bound({node, 0});
  return at == heard_.end() || at->first != node ? nullptr : &at->second;
}

CellIndex Whereabouts::reach(const NodeId& node) const {
  if (backbone_ && met(node, *backbone_)) return *backbone_;
  const CellIndex* const first = first_of(node);
  return first == nullptr ? 0 : *first;
}

std::string_view Whereabouts::home(const NodeId& node) const {
  for (auto at = heard_.lower_bound({node, 0}); at != heard_.end() && at->first == node; ++at) {
    if (at->second != backbone_) return names_[at->second];
  }
  return {};
}

}  // namespace dunlin::replication
