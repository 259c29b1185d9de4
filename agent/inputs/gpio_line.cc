#include "agent/inputs/gpio_line.h"

#include <fcntl.h>
#include <linux/gpio.h>
#include <sys/ioctl.h>

#include <cstring>

#include "agent/inputs/files.h"
#include "agent/inputs/number.h"

namespace dunlin::agent {

namespace {

std::uint64_t flags_of(const GpioLine& line) {
  std::uint64_t flags = GPIO_V2_LINE_FLAG_INPUT;
  if (line.edge != GpioLine::Edge::falling) flags |= GPIO_V2_LINE_FLAG_EDGE_RISING;
  if (line.edge != GpioLine::Edge::rising) flags |= GPIO_V2_LINE_FLAG_EDGE_FALLING;
  if (line.bias == GpioLine::Bias::pull_up) flags |= GPIO_V2_LINE_FLAG_BIAS_PULL_UP;
  if (line.bias == GpioLine::Bias::pull_down) flags |= GPIO_V2_LINE_FLAG_BIAS_PULL_DOWN;
  if (line.bias == GpioLine::Bias::disabled) flags |= GPIO_V2_LINE_FLAG_BIAS_DISABLED;
  return flags;
}

// The number of a line that is given by number or name.
Result<std::uint32_t> offset_of(const GpioLine& line, int chip) {
  gpiochip_info info{};
  if (ioctl(chip, GPIO_GET_CHIPINFO_IOCTL, &info) != 0) {
    return Error{Errc::io, line.chip + ": " + last_os_error()};
  }
  if (const auto number = parse_integer(line.line)) {
    if (*number >= 0 && *number < info.lines) return static_cast<std::uint32_t>(*number);
  }
  for (std::uint32_t offset = 0; offset < info.lines; ++offset) {
    gpio_v2_line_info candidate{};
    candidate.offset = offset;
    if (ioctl(chip, GPIO_V2_GET_LINEINFO_IOCTL, &candidate) != 0) {
      return Error{Errc::io, line.chip + ": " + last_os_error()};
    }
    if (strncmp(candidate.name, line.line.c_str(), sizeof candidate.name) == 0) return offset;
  }
  return Error{Errc::not_found, line.chip + " has no line " + line.line};
}

}  // namespace

Result<FileDescriptor> request_gpio_line(const GpioLine& line) {
  const FileDescriptor chip(open(line.chip.c_str(), O_RDWR | O_CLOEXEC));
  if (chip.get() < 0) return Error{Errc::io, line.chip + ": " + last_os_error()};
  gpio_v2_line_request request{};
  DUNLIN_ASSIGN(request.offsets[0], offset_of(line, chip.get()));
  request.num_lines = 1;
  strncpy(request.consumer, "dunlin-agent", sizeof request.consumer - 1);
  request.config.flags = flags_of(line);
  if (line.debounce_us > 0) {
    request.config.num_attrs = 1;
    request.config.attrs[0].mask = 1;
    request.config.attrs[0].attr.id = GPIO_V2_LINE_ATTR_ID_DEBOUNCE;
    request.config.attrs[0].attr.debounce_period_us = line.debounce_us;
  }
  if (ioctl(chip.get(), GPIO_V2_GET_LINE_IOCTL, &request) != 0) {
    return Error{Errc::io, line.chip + " line " + line.line + ": " + last_os_error()};
  }
  FileDescriptor events(request.fd);
  if (fcntl(events.get(), F_SETFL, O_NONBLOCK) != 0) {
    return Error{Errc::io, line.chip + ": " + last_os_error()};
  }
  return events;
}

}  // namespace dunlin::agent
