#pragma once

#include <functional>
#include <string>

#include "common/log/log_id.h"
#include "common/log/stored.h"
#include "dunlin/result.h"

namespace dunlin::storage {

// What a node keeps of others by its interest may go when that changes, and nothing else may: not
// what another program kept in this file, nor what this one wrote under a former key. So the file
// says whose it was, and by which interest (meta: `own_nodes`, `interest`).

// By which interest logs of others were kept here; "" where nobody noted it, or nothing is here.
Result<std::string> noted_interest(const std::string& path);

// For a database that is open: it is this node's, which keeps logs of others by that interest. The
// first time all that is in it counts as its own.
Result<void> note_interest(const std::string& path, const NodeId& self,
                           const std::string& interest);

// For a database that nobody has open: where it was kept by another interest, deletes the logs of
// others that are `unwanted`, as if they had never come, so that they may come again. That is asked
// with what is known of their node (by its id alone where nothing is). Returns how many there were.
// A transaction for each log; what an error leaves goes the next time. There is none in a file that
// is not there, and an error where LogStore::open has to look at it first. `on_progress` is called
// whenever some more of that is done, within a log as well.
Result<std::size_t> forget_logs(
    const std::string& path, const NodeId& self, const std::string& interest,
    const std::function<bool(const LogId&, const KnownNode&)>& unwanted,
    std::function<void()> on_progress = [] {});

}  // namespace dunlin::storage
