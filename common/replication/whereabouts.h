#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/ids.h"
#include "common/log/admission.h"

namespace dunlin::replication {

// A cell that this node takes part in, by its place in ReplicaOptions::cells.
using CellIndex = std::uint32_t;
inline constexpr CellIndex kEveryCell = 0xffffffff;

// In which of our cells others were heard: an agent in one, a gateway in each that it serves.
class Whereabouts {
 public:
  explicit Whereabouts(std::vector<std::string> names);

  std::size_t cells() const { return names_.size(); }
  const std::string& name(CellIndex cell) const { return names_[cell]; }
  const std::optional<CellIndex>& backbone() const { return backbone_; }

  void heard(const NodeId& node, CellIndex cell);
  void forget(const NodeId& node);
  bool knows(const NodeId& node) const { return first_of(node) != nullptr; }
  bool met(const NodeId& node, CellIndex cell) const;
  std::vector<NodeId> met_in(CellIndex cell) const;
  // Where an inbox of it is listened to: in the backbone before other cells; our first cell when
  // it was not heard yet.
  CellIndex reach(const NodeId& node) const;
  // Its cell, or the first of them that is no backbone; empty when it was not heard.
  std::string_view home(const NodeId& node) const;

 private:
  // The first of its cells; null when it was not heard.
  const CellIndex* first_of(const NodeId& node) const;

  std::vector<std::string> names_;
  std::optional<CellIndex> backbone_;
  std::set<std::pair<NodeId, CellIndex>> heard_;
};

}  // namespace dunlin::replication
