#pragma once

#include <chrono>
#include <functional>
#include <stop_token>
#include <string>

#include "common/config/table.h"
#include "dunlin/result.h"

namespace dunlin::agent {

// Calls `tick` at once and then every `interval`, without drift; a tick that took longer skips the
// ones it missed. Ends with success on stop or when `tick` says `closed`, else with its error.
Result<void> run_every(std::chrono::microseconds interval, const std::stop_token& stop,
                       const std::function<Result<void>()>& tick);

// `closed` only says that the agent stops: no error of the input.
Result<void> unless_closed(Result<void> result);

// The keys that many drivers have, checked: mistakes go to the table.
std::string stream_key(config::Table& table, const std::string& fallback);
std::chrono::microseconds interval_key(config::Table& table, std::chrono::microseconds fallback);

}  // namespace dunlin::agent
