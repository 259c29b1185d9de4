#pragma once

#include <memory>

#include "agent/inputs/input.h"

namespace dunlin::agent {

// type = "serial": lines from a serial line: GPS receivers, meters, boards that print what they
// measure.
//
//   port, baud, mode  see serial_port.h
//   stream            "serial"
//   format            and its keys: see line_format()
//
// What comes first after opening may be the end of a line, and is passed over. A line that is
// unplugged is an error: the agent opens it again with back-off.
Result<std::unique_ptr<Input>> make_serial_input(config::Table& table);

}  // namespace dunlin::agent
