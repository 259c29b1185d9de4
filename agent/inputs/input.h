#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "common/config/table.h"
#include "dunlin/stream.h"

namespace dunlin::agent {

// What "now" is to a driver that stamps readings itself. Without a believable clock `time_us`
// counts from the boot of the machine and `since_boot` is true; replicas correct it later.
struct Stamp {
  std::int64_t time_us = 0;
  bool since_boot = false;
};

// Where drivers put what they read. Thread-safe; shared by all drivers.
class InputSink {
 public:
  virtual ~InputSink() = default;

  virtual Stamp now() = 0;

  // Hands readings to the log. Rows have one cell per schema field. An unknown stream defines
  // itself; further fields make a new version of it. Waits while the log has no room; returns
  // `type_changed` (nothing taken) when a field was declared with another type, `storage_full` when
  // the disk bound refuses new readings, `closed` when the agent stops.
  virtual Result<void> append(const StreamSchema& schema, Rows rows, bool since_boot) = 0;

  // Counts `times` and logs one malformed line, row or file; `where` is the position
  // ("data.csv:17").
  virtual void report(const std::string& where, const Error& error, std::uint64_t times = 1) = 0;

  // The driver begins to wait for a sensor that may never answer, or (nothing) has waited. If that
  // takes longer than `patience` it is said to hang. Time in append() does not count. See
  // SensorWait.
  virtual void waiting(std::optional<std::chrono::microseconds> patience) = 0;
};

// One sensor driver. Runs on a thread of its own.
class Input {
 public:
  virtual ~Input() = default;

  // Reads until `stop` is requested or the input ends; never spins, and returns within 200 ms of
  // the request, or when its sensor lets go of it. An error ends this input only: the agent logs it
  // and tries again with back-off.
  virtual Result<void> run(InputSink& sink, std::stop_token stop) = 0;
};

// The driver registry: `type` in [[input]] selects the factory. A factory reads its keys from the
// table; keys it leaves unread are reported as unknown by the caller.
using InputFactory = std::function<Result<std::unique_ptr<Input>>(config::Table& table)>;
void register_input(std::string type, InputFactory factory);
Result<std::unique_ptr<Input>> make_input(config::Table& table);
std::vector<std::string> input_types();

// Waits for `duration` or until `stop` is requested; false in the latter case.
bool wait_for(std::stop_token stop, std::chrono::microseconds duration);

}  // namespace dunlin::agent
