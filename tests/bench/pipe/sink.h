#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

namespace dunlin::bench {

// The receiving process of the pipe; source.h says how the two work together.
struct PipeSinkOptions {
  std::string database;              // made if missing
  std::uint16_t broker_port = 1883;  // of 127.0.0.1
  std::string topic = "pipe";
  std::int64_t readings = 0;  // ends when the reading with this id is durable
  int confirm_every = 10;     // messages, when more are waiting; else at once
  std::chrono::seconds time_limit{600};
  std::FILE* out = stdout;
};

// One row per reading and one FULL commit per message. Prints a JSON line (report.h) per event:
// "connected" (subscribed and ready, once per connection), "durable" ("readings": the rows of the
// table, when the last is on disk), "newest" ("id": the highest, when it is on disk; the pipe keeps
// the order, so both come together), "latency" ("latency_us" of one reading from the start of its
// append to the end of the sink's commit; trickle only, printed at the end), "finished" (what the
// process used, "database_bytes" after a checkpoint, "commits", "duplicates" and "out_of_order"
// readings, "malformed" messages).
// 0, or 1 after an error or when the time is over, with the reason on stderr.
int pipe_sink_main(const PipeSinkOptions& options);

}  // namespace dunlin::bench
