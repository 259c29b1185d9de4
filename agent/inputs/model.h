#pragma once

#include <memory>

#include "agent/inputs/input.h"

namespace dunlin::agent {

// type = "model": readings of the greenhouse model (greenhouse.h), for trials and measurements.
// They are made up, as the name of the stream says.
//
//   stream    "greenhouse_model"
//   seed      1: the same seed gives the same series everywhere
//   readings  0: without end
//   period    "1s"
//   speed     1: in real time, stamped as they are handed over; another factor: that much faster,
//             stamped from `start` on; 0: as fast as the log takes them, likewise
//   start     "2026-01-01T00:00:00Z"
//   batch     500: readings handed over at once at speed 0
//
// After an error the series goes on where it was.
Result<std::unique_ptr<Input>> make_model_input(config::Table& table);

}  // namespace dunlin::agent
