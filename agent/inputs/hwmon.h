#pragma once

#include <functional>
#include <memory>

#include "agent/inputs/input.h"
#include "agent/inputs/sensors.h"

namespace dunlin::agent {

// type = "hwmon": the sensors of the kernel's hwmon class: boards, power supplies, fans, and many
// chips on I2C and SPI.
//
//   stream    "hwmon"
//   interval  "10s"
//   sys       "/sys"; another root reads a recorded tree
//   kinds     ["temp", "in", "curr", "power", "energy", "humidity", "fan"]: all of them
//   [input.names]  "1-0040" = "pump": what to call the chip that the kernel's device 1-0040 is, the
//             end of `readlink -f /sys/class/hwmon/hwmon0/device`; reported when it is not there
//
// A field is named by chip and channel, "ina219.curr1", or by the channel's label,
// "coretemp.Core_0". A second chip of a name is "ina219_2", and "ina219" from when the first one is
// gone: where there are twins, give them names. Values are those of the kernel: temp
// decimal(3) Cel, in decimal(3) V, curr decimal(3) A, power decimal(6) W (an average where there is
// no other), energy decimal(6) J, humidity decimal(3) %, fan int64 /min. A channel that is faulty
// or off is missing.
Result<std::unique_ptr<Input>> make_hwmon_input(config::Table& table);

// Adds the channels of the chips that `wanted` says yes to, by their name and the channel's kind.
void read_hwmon(const std::string& sys,
                const std::function<bool(std::string_view chip, std::string_view kind)>& wanted,
                Sensors& sensors);

}  // namespace dunlin::agent
