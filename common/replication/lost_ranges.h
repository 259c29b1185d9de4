#pragma once

#include <vector>

#include "common/log/entry.h"

namespace dunlin::replication {

// Adds a range to what was declared lost of a log: sorted, in pieces that neither touch nor
// overlap. Of what was declared before and is named again, be it in larger segments, the readings
// count once.
void add_lost(std::vector<LostRange>& lost, LostRange range);

}  // namespace dunlin::replication
