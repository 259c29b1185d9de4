#include "agent/inputs/serial_port.h"

#include <fcntl.h>
#include <termios.h>

#include <algorithm>

#include "agent/inputs/files.h"

namespace dunlin::agent {

namespace {

struct Speed {
  int baud;
  speed_t code;
};
constexpr Speed kSpeeds[] = {
    {300, B300},       {600, B600},       {1200, B1200},     {2400, B2400},    {4800, B4800},
    {9600, B9600},     {19200, B19200},   {38400, B38400},   {57600, B57600},  {115200, B115200},
    {230400, B230400}, {460800, B460800}, {500000, B500000}, {921600, B921600}};

const Speed* speed_of(int baud) {
  const auto* found = std::find_if(std::begin(kSpeeds), std::end(kSpeeds),
                                   [&](const Speed& speed) { return speed.baud == baud; });
  return found == std::end(kSpeeds) ? nullptr : found;
}

tcflag_t size_flag(int data_bits) {
  switch (data_bits) {
    case 5:
      return CS5;
    case 6:
      return CS6;
    case 7:
      return CS7;
    default:
      return CS8;
  }
}

void set(const SerialPort& port, termios& settings) {
  cfmakeraw(&settings);
  settings.c_cflag &= ~static_cast<tcflag_t>(CSIZE | PARENB | PARODD | CSTOPB | CRTSCTS);
  settings.c_cflag |= size_flag(port.data_bits) | CREAD | CLOCAL;
  if (port.parity != 'N') settings.c_cflag |= PARENB;
  if (port.parity == 'O') settings.c_cflag |= PARODD;
  if (port.stop_bits == 2) settings.c_cflag |= CSTOPB;
  const speed_t code = speed_of(port.baud)->code;
  cfsetispeed(&settings, code);
  cfsetospeed(&settings, code);
}

}  // namespace

SerialPort SerialPort::from(config::Table& table) {
  SerialPort port;
  port.path = table.required_text("port");
  port.baud = static_cast<int>(table.integer("baud", 9600, 300, 921600));
  if (speed_of(port.baud) == nullptr) {
    table.mistake("baud", std::to_string(port.baud) + " is none of the usual speeds");
    port.baud = 9600;
  }
  const std::string mode = table.text("mode", "8N1");
  const bool right = mode.size() == 3 && mode[0] >= '5' && mode[0] <= '8' &&
                     std::string_view("NEO").find(mode[1]) != std::string_view::npos &&
                     (mode[2] == '1' || mode[2] == '2');
  if (!right) {
    table.mistake("mode", "should be such as \"8N1\": data bits, parity (N, E, O), stop bits");
    return port;
  }
  port.data_bits = mode[0] - '0';
  port.parity = mode[1];
  port.stop_bits = mode[2] - '0';
  return port;
}

Result<FileDescriptor> SerialPort::open() const {
  FileDescriptor line(::open(path.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  termios settings{};
  if (line.get() < 0 || tcgetattr(line.get(), &settings) != 0) {
    return Error{Errc::io, path + ": " + last_os_error()};
  }
  set(*this, settings);
  if (tcsetattr(line.get(), TCSAFLUSH, &settings) != 0) {
    return Error{Errc::io, path + ": " + last_os_error()};
  }
  return line;
}

}  // namespace dunlin::agent
