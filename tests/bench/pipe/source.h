#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

namespace dunlin::bench {

// The rival "pipe", what a careful team builds without Dunlin: a SQLite outbox, JSON over MQTT, a
// SQLite table at the other end, and a cursor that moves once the sink has committed. This is its
// sending process; sink.h is the other one.
//
// Nothing is lost and nothing is doubled: messages carry ascending ids, the sink takes them in
// order only (go-back-N), inserts with OR IGNORE and confirms the last id it has committed; the
// source goes back to that id after a lost connection and after 5 s without progress. Unconfirmed
// messages are bounded below mosquitto's queue of 1000, which would drop what is above. The outbox
// is the only queue, so memory does not grow with the backlog.
struct PipeSourceOptions {
  enum class Mode {
    online,   // append as fast as possible and send meanwhile
    backlog,  // append everything, then connect; the broker may start later than the source
    trickle,  // connect, then append a reading every 100 ms, commit it and send it at once
  };

  std::string database;              // made if missing; appending continues after its last id
  std::uint16_t broker_port = 1883;  // of 127.0.0.1
  std::string topic = "pipe";        // messages on <topic>/data, confirmations on <topic>/ack
  Mode mode = Mode::online;
  std::int64_t readings = 0;          // to append in this run
  std::size_t rows_per_commit = 100;  // trickle: always 1
  std::size_t readings_per_message = 100;
  std::size_t window = 100;           // messages that the broker has not acknowledged
  std::size_t unconfirmed_max = 400;  // messages that the sink has not confirmed
  std::uint64_t seed = 1;             // of the greenhouse series
  std::chrono::milliseconds trickle_period{100};
  std::chrono::seconds time_limit{600};
  std::FILE* out = stdout;
};

// Runs until the sink has confirmed every reading. Prints a JSON line (report.h) per event:
// "started" (before the first append), "connected" (at CONNACK, once per connection),
// "appended_all" ("readings"), "confirmed" (the same for the confirmation of the last), "finished"
// (what the process used, "database_bytes" after a checkpoint, "messages" sent, "resent" readings).
// 0, or 1 after an error or when the time is over, with the reason on stderr.
int pipe_source_main(const PipeSourceOptions& options);

}  // namespace dunlin::bench
