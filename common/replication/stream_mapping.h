#pragma once

#include <cstdint>
#include <vector>

#include "common/log/entry.h"

namespace dunlin::replication {

// How the readings of an incoming schema lie in the latest version of their stream. Fields are
// matched by name: new ones are appended, more decimals widen a field, another type is refused.
struct StreamMapping {
  StreamSchema incoming;
  Define latest;
  bool defines = false;                // `latest` is new: it has to enter the log first
  std::vector<std::size_t> positions;  // incoming field -> field of `latest`
  std::vector<std::int64_t> factors;   // a power of ten per incoming field
  bool identity = false;               // rows are taken as they are
};

// `latest` is the stream's version so far, with id 0 for an unknown stream; `next_id` is given to
// a new one. Errors: invalid_argument, type_changed, too_large.
Result<StreamMapping> map_stream(const StreamSchema& incoming, const Define& latest,
                                 std::uint64_t next_id);

// An upper bound of each row's canonical size in an entry, once every value was found fit for the
// mapping. Errors: invalid_argument, type_changed, too_large.
Result<std::vector<std::size_t>> row_sizes(const StreamMapping& mapping, const Rows& rows);

// Adds one row, which row_sizes() found fit, to samples of the stream.
void add_row(const StreamMapping& mapping, const Rows& rows, std::size_t row, Samples& samples);

}  // namespace dunlin::replication
