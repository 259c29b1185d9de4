#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "dunlin/result.h"
#include "tests/bench/figures.h"

namespace dunlin::bench {

// What the sensor does. A flush happens by the count of readings, so none of it takes real time.
enum class Shape {
  steady,  // the greenhouse, a reading a second
  idle,    // the same times, values that never change
  burst,   // the greenhouse, 100 readings a second
};

struct FlushOptions {
  Shape shape = Shape::steady;
  // Seconds of readings in a flush. An entry holds 1000 readings at most, so more are that many.
  std::vector<std::uint64_t> intervals = {1, 2, 5, 10, 60, 300, 3600};
  std::uint64_t flushes = 1024;  // for each interval
  bool tls = false;
};

// What a flush costs on the wire and on the disk: an agent that flushes so much at a time, each
// flush a segment and a commit of its own that the gateway acknowledges before the next one.
//
// Wire bytes as ByteCounter has them, without those of the connection's start; the agent's disk as
// the kernel counts what goes to the device (/proc/PID/io), compaction and checkpoints included.
Result<std::vector<Figure>> run_flush(const FlushOptions& options);

// The same of an agent that has nothing to say for `time`: in all, and an hour's worth of the
// second half, when the first acknowledgements are over.
Result<std::vector<Figure>> run_quiet(std::chrono::seconds time, bool tls);

}  // namespace dunlin::bench
