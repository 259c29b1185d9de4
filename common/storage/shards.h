#pragma once

#include <vector>

#include "common/storage/log_store.h"
#include "common/storage/placement.h"
#include "common/storage/shard_files.h"

namespace dunlin::storage {

// A database of one or several files, each a LogStore that a thread of its own may drive.
struct Shards {
  std::vector<LogStore> stores;  // by number
  Placement placement;
  LogStore::Contents contents;  // of all

  // Opens or creates `spread` files, and whatever others there are. `options` are those of the
  // first; the caches share what they allow, each WAL may grow to its bound. Errors as for
  // LogStore::open and Placement::make.
  static Result<Shards> open(const LogStore::Options& options, const NodeId& node,
                             std::size_t spread, Verifier& verifier,
                             std::vector<LogStore::Salvage>& salvages);
};

}  // namespace dunlin::storage
