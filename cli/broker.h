#pragma once

#include <set>
#include <string>

#include "common/base/ids.h"
#include "dunlin/bytes.h"
#include "dunlin/transport.h"

namespace dunlin::cli {

// Has the broker retain the authority's log in each cell, and returns when it said it back. `how`
// says where and as whom; `timeout` when it does not answer within ten seconds.
Result<void> publish(TransportOptions how, const std::string& fleet, const NodeId& authority,
                     const std::set<std::string>& cells, const Bytes& message);

// Lets a mosquitto on this machine, which wrote that pid_file, read its rights again, if one runs.
// `io` when it cannot be told.
Result<void> reload_broker(const std::string& pid_file);

}  // namespace dunlin::cli
