#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "agent/inputs/input.h"
#include "agent/inputs/number.h"

namespace dunlin::agent {

// type = "iio": the sensors of the kernel's Industrial I/O: converters, climate, light, motion,
// gas.
//
//   stream    "iio"
//   interval  "10s"
//   sys       "/sys"; another root reads a recorded tree
//   [input.names]  "1-0048" = "tank": what to call what the kernel's device 1-0048 is, the end but
//             one of `readlink -f /sys/bus/iio/devices/iio:device0`; reported when it is not there
//
// A field is named by device and channel, "bme280.temp", "mcp3008.voltage0", by labels where there
// are any. A second device of a name is "bme280_2", and "bme280" from when the first one is gone:
// where there are twins, give them names. A value is in_*_input, or (in_*_raw + offset) *
// scale, computed in integers and rounded to a resolution that belongs to the quantity, so that a
// field never changes its type:
//
//   decimal(3)  temp Cel, humidityrelative %, positionrelative %, pressure Pa, illuminance lx,
//               resistance Ohm, capacitance nF, energy J, massconcentration ug/m3, ph [pH], cct K
//   decimal(6)  voltage V, altvoltage V, current A, power W, accel and gravity m/s2, anglvel rad/s,
//               angl rad, incli and rot deg, magn G, distance m, velocity m/s, concentration %,
//               electricalconductivity S/m
//   double      anything else, without a unit
//
// Channels of several numbers (quaternions) are left out.
Result<std::unique_ptr<Input>> make_iio_input(config::Table& table);

// (raw + offset) * scale / 10^shift with so many decimals, half rounded away from zero; nothing
// when it does not fit. Exact as long as 64 bits hold the product, as they do for converters of 24
// bits; in floating point beyond.
struct IioValue {
  DecimalNumber raw;
  DecimalNumber offset;
  DecimalNumber scale{1, 0};
  int shift = 0;
};
std::optional<std::int64_t> to_mantissa(const IioValue& value, std::uint8_t decimals);

}  // namespace dunlin::agent
