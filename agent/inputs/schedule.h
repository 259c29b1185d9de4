#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <stop_token>
#include <string>

#include "agent/inputs/input.h"
#include "common/config/table.h"
#include "dunlin/result.h"

namespace dunlin::agent {

// Calls `tick` at once and then every `interval`, without drift; a tick that took longer skips the
// ones it missed. Ends with success on stop or when `tick` says `closed`, else with its error.
Result<void> run_every(std::chrono::microseconds interval, const std::stop_token& stop,
                       const std::function<Result<void>()>& tick);

// While it lives a driver reads its sensors, which should take no longer than three intervals, or
// five seconds.
class SensorWait {
 public:
  SensorWait(InputSink& sink, std::chrono::microseconds interval) : sink_(sink) {
    sink_.waiting(std::max<std::chrono::microseconds>(3 * interval, std::chrono::seconds(5)));
  }
  ~SensorWait() { sink_.waiting(std::nullopt); }
  SensorWait(const SensorWait&) = delete;
  SensorWait& operator=(const SensorWait&) = delete;

 private:
  InputSink& sink_;
};

// `closed` only says that the agent stops: no error of the input.
Result<void> unless_closed(Result<void> result);

// The keys that many drivers have, checked: mistakes go to the table.
std::string stream_key(config::Table& table, const std::string& fallback);
std::chrono::microseconds interval_key(config::Table& table, std::chrono::microseconds fallback);

}  // namespace dunlin::agent
