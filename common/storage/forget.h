#pragma once

#include <functional>
#include <string>

#include "common/log/log_id.h"
#include "common/log/stored.h"
#include "dunlin/result.h"

namespace dunlin::storage {

// Deletes logs of others from a database that nobody has open, as if they had never come, so that
// they may come again: all those that are `unwanted`, which is asked with what is known of their
// node (by its id alone where nothing is). Returns how many there were. A transaction for each log.
// A file that is not there or that LogStore::open has to look at first is left as it is.
Result<std::size_t> forget_logs(
    const std::string& path, const std::function<bool(const LogId&, const KnownNode&)>& unwanted);

}  // namespace dunlin::storage
