#pragma once

#include <memory>

#include "agent/inputs/input.h"

namespace dunlin::agent {

// type = "thermal": the temperatures the kernel knows, decimal(3) Cel, one field per sensor.
//
//   stream    "thermal"
//   interval  "10s"
//   sys       "/sys"; another root reads a recorded tree
//   hwmon     true: hwmon temperatures too, unless a thermal zone of that name shows them already
//
// A zone's field is its type ("cpu-thermal", the second of a type "cpu-thermal_2"), a hwmon one
// "coretemp.Core_0". A machine without any sensor is reported once, then looked at every minute.
Result<std::unique_ptr<Input>> make_thermal_input(config::Table& table);

}  // namespace dunlin::agent
