#pragma once

#include <string>

#include "common/storage/log_store.h"

namespace dunlin::storage {

// Copies every segment that can still be read, decodes and verifies out of the damaged database at
// `path` into `fresh`, under its old epoch, with what was released and acked, and counts in
// `report`. The damaged file and its -wal are only read. That nothing could be salvaged is no
// error; that `fresh`, or a copy that is needed, cannot be written is one. When the disk fills on
// the way, what fits is kept and `report.reason` says so.
Result<void> salvage(const std::string& path, LogStore& fresh, Verifier& verifier,
                     LogStore::Salvage& report);

}  // namespace dunlin::storage
