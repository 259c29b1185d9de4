#pragma once

#include <string>

#include "common/log/stored.h"
#include "common/replication/interest.h"

namespace dunlin::runtime {

// The same text for the same interest.
std::string text_of(const replication::Interest& interest);

// Whether a log that an agent keeps is one that it has no interest in any more. `known` is its node
// as storage knows it: in a fleet without an authority it says nothing of cells, and what came with
// a greater interest stays until retention takes it.
bool is_unwanted(const replication::Interest& interest, const std::string& cell, const LogId& log,
                 const KnownNode& known);

}  // namespace dunlin::runtime
