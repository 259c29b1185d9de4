#pragma once

#include <string>

#include "common/base/stop_event.h"
#include "common/config/table.h"
#include "dunlin/result.h"

namespace dunlin::agent {

// A serial line: keys of [[input]].
//
//   port  "/dev/ttyUSB0"; a name in /dev/serial/by-id stays when devices are plugged otherwise
//   baud  9600; one of the usual speeds from 300 to 921600
//   mode  "8N1": data bits 5 to 8; N, E or O for the parity; stop bits 1 or 2
struct SerialPort {
  std::string path;
  int baud = 9600;
  int data_bits = 8;
  char parity = 'N';
  int stop_bits = 1;

  // Mistakes go to the table.
  static SerialPort from(config::Table& table);

  // Opens it for reading bytes as they come, without blocking, and drops what came before.
  Result<FileDescriptor> open() const;
};

}  // namespace dunlin::agent
