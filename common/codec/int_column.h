#pragma once

#include <span>

#include "common/codec/varint.h"

namespace dunlin {

// A column of 64-bit integers whose length is known from elsewhere. Sensor data is mostly small
// steps of a coarse unit, so the writer divides the steps by their greatest common divisor, then
// takes whichever mode is smallest (the lowest of equals). An empty column has no bytes. All
// differences wrap modulo 2^64, so that every input is representable. The bytes are described in
// common/doc/wire_format.md, "Integer columns".
enum class IntMode : std::uint8_t {
  constant = 0,       // one value
  plain = 1,          // varints
  delta = 2,          // varints of steps
  delta2 = 3,         // varints of steps of steps
  packed = 4,         // distances from the smallest value, packed to bits
  packed_delta = 5,   // steps, packed to bits
  packed_delta2 = 6,  // steps of steps, packed to bits
};

struct IntPlan {
  IntMode mode = IntMode::constant;
  std::uint64_t scale = 1;   // all steps are multiples of it; at most 2^63
  std::int64_t minimum = 0;  // of the values, for `packed`
  std::size_t size = 0;      // bytes of the encoded column
};

// The smallest encoding and its exact size, without writing it. O(values).
IntPlan plan_ints(std::span<const std::int64_t> values);
void append_ints(std::span<const std::int64_t> values, const IntPlan& plan, Bytes& out);
inline void append_ints(std::span<const std::int64_t> values, Bytes& out) {
  append_ints(values, plan_ints(values), out);
}

// Fills `out`. Any mode is accepted, whether it is the smallest or not.
Result<void> read_ints(PayloadReader& in, std::span<std::int64_t> out);

}  // namespace dunlin
