#pragma once

#include <cstdint>
#include <string>

#include "common/base/stop_event.h"
#include "dunlin/result.h"

namespace dunlin::agent {

// Which edges of which line of a GPIO chip are to be heard of.
struct GpioLine {
  enum class Edge { rising, falling, both };
  enum class Bias { as_is, pull_up, pull_down, disabled };

  std::string chip;  // "/dev/gpiochip0"
  std::string line;  // its number, or its name as `gpioinfo` shows it
  Edge edge = Edge::rising;
  Bias bias = Bias::as_is;
  std::uint32_t debounce_us = 0;  // by the kernel; 0 = none
};

// Asks the kernel (5.10 or newer, version 2 of its GPIO interface) for a line of its own. From the
// descriptor come struct gpio_v2_line_event, without blocking. `io`, or `not_found` without such a
// line.
Result<FileDescriptor> request_gpio_line(const GpioLine& line);

}  // namespace dunlin::agent
