#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agent/inputs/gpio_line.h"
#include "agent/inputs/input.h"

namespace dunlin::agent {

// type = "gpio": counts edges on GPIO lines: rain gauges, water and electricity meters,
// anemometers.
//
//   chip      "/dev/gpiochip0"
//   stream    "gpio"
//   interval  "10s"
//   edge      "rising" (default), "falling" or "both"
//   bias      "as_is" (default), "pull_up", "pull_down" or "disabled"
//   debounce  "0"; "5ms": shorter pulses do not count, by the kernel
//   rates     false; true: also edges a second since the reading before, decimal(3) Hz, as
//             "<field>_rate"
//   [input.lines]  rain = "17": a field and its line, by number or by name ("GPIO17")
//
// A field is an int64: edges since this agent started. It begins at 0 again with the agent and with
// a reload: a count below the one before says that, and counts from 0. The kernel numbers edges, so
// none is missed between two readings, however many; those after the last reading before the agent
// stops are.
Result<std::unique_ptr<Input>> make_gpio_input(config::Table& table);

struct GpioOptions {
  std::string stream;
  std::chrono::microseconds interval;
  bool rates = false;
  std::vector<std::pair<std::string, GpioLine>> lines;  // by field
};
// With other lines than the kernel's.
std::unique_ptr<Input> make_gpio_input(
    GpioOptions options, std::function<Result<FileDescriptor>(const GpioLine&)> request);

}  // namespace dunlin::agent
