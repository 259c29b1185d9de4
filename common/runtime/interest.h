#pragma once

#include <string>

#include "common/log/stored.h"
#include "common/replication/interest.h"

namespace dunlin::runtime {

// The same text for the same interest in the same cell. `former` is that of the start before, ""
// where there was none: who kept the fleet once, and does not, goes on saying so.
std::string text_of(const replication::Interest& interest, const std::string& cell,
                    const std::string& former);
// Whether a text says that.
bool has_left_backbone(const std::string& text);

// Whether an agent that keeps logs of a node has no interest in it any more. They go or stay as a
// whole: what track 0 says of the others it says once. In a fleet without an authority nobody knows
// the cell of a node, and what came with a greater interest stays until retention takes it.
bool is_unwanted(const replication::Interest& interest, const std::string& cell,
                 const KnownNode& node);

}  // namespace dunlin::runtime
