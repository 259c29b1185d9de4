#pragma once

#include <vector>

#include "common/log/entry.h"
#include "common/log/interval_set.h"

namespace dunlin::replication {

// Adds a range to what was declared lost of a log: sorted, in pieces that neither touch nor
// overlap. Of what was declared before and is named again, be it in larger segments, the readings
// count once.
void add_lost(std::vector<LostRange>& lost, LostRange range);
// Joins ranges until there are `max` at most: the oldest two with nothing of `held` between them,
// since what lies there left with enough Acks; the oldest two of all when there are none.
void bound_lost(std::vector<LostRange>& lost, const IntervalSet& held, std::size_t max);

}  // namespace dunlin::replication
