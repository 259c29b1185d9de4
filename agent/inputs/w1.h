#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "agent/inputs/input.h"

namespace dunlin::agent {

// type = "w1": thermometers on 1-wire (DS18B20, DS18S20, DS1822, DS1825, DS28EA00), decimal(3) Cel.
//
//   stream    "w1"
//   interval  "30s"; each sensor takes up to 750 ms, one after the other
//   sys       "/sys"; another root reads a recorded tree
//   [input.names]  "28-0000075c0a1f" = "boiler"; a sensor without a name is a field named by its id
//
// A bad checksum, a sensor that lost its power in the middle (it says 85 degrees, or 127.94 without
// having measured) and a named one that is not there are missing and reported.
Result<std::unique_ptr<Input>> make_w1_input(config::Table& table);

// Millidegrees of a w1_slave file: nine bytes of the sensor's memory with the kernel's verdict, and
// again with the temperature. `malformed` for a bad checksum or another text, `not_connected` for a
// sensor that only says that it was switched on: its seventh byte is then as after a reset.
Result<std::int64_t> parse_w1_slave(std::string_view text);

}  // namespace dunlin::agent
