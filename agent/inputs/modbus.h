#pragma once

#include <memory>

#include "agent/inputs/input.h"

namespace dunlin::agent {

// type = "modbus": registers of slaves by Modbus TCP, or Modbus RTU on a serial line.
//
//   url        "tcp://192.168.1.20:502", or
//   port, baud, mode  of a serial line: serial_port.h
//   stream     "modbus"
//   interval   "10s"
//   timeout    "500ms": how long a slave has for an answer
//   slave      1: of registers that name no other; 255 for a device that is asked by its address
//   [[input.register]]
//     field       "voltage:decimal(1):V": integers count what stands last, here tenths; floats are
//                 rounded to it. A type that is left out is int64, double, or bool of a bit
//     slave
//     table       "holding" (default), "input", "coil" or "discrete"
//     address     from 0, as in the message: what a manual calls 40001 is holding register 0
//     type        of holding and input: u16 (default), s16, u32, s32, u64, s64, float32, float64
//     word_order  "big" (default): the high word comes first; "little"
//
// Neighbours are asked for in one request. All registers are one reading; what a slave does not
// tell is missing and reported. A slave that does not answer, or hangs up, is left alone for a
// while, up to a minute, and the others are asked on; when none answers, the agent opens the line
// again with back-off.
Result<std::unique_ptr<Input>> make_modbus_input(config::Table& table);

}  // namespace dunlin::agent
