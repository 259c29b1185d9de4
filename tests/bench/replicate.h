#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dunlin/result.h"
#include "tests/bench/figures.h"

namespace dunlin::bench {

// hostile: live readings, and a member that floods the broker for the second half of the time.
enum class Mode { online, backlog, trickle, hostile };
std::string to_string(Mode mode);

struct ReplicateOptions {
  std::uint64_t readings = 2'000'000;
  Mode mode = Mode::online;
  std::uint64_t batch = 100;  // readings per entry; trickle flushes each
  // Backlog, hostile: from its connection on the agent also takes 200 readings a second for so
  // long, each flushed on a track of its own.
  std::uint64_t live_seconds = 0;
  std::string data;  // a CSV file with a header instead of the seeded series
  std::string time;  // its time column or columns ("date time"); "" = stamped when read
  std::vector<std::string> columns;  // the columns to take; empty = all
  bool against_pipe = false;
  bool tls = false;      // a fleet with an authority: TLS, certificates of both sides, rights
  std::string programs;  // folder of dunlin-agent and dunlin-gateway
  std::string self;      // path of this program
};

// A system's figures in the order in which they were measured.
using Figures = std::vector<Figure>;

// A real agent, mosquitto and gateway, as processes.
Result<Figures> run_dunlin(const ReplicateOptions& options);
// The rival, as processes too.
Result<Figures> run_pipe(const ReplicateOptions& options);

// The p-th percentile (0 to 100) by nearest rank; sorts `values`, which must not be empty.
double percentile(std::vector<double>& values, double p);

}  // namespace dunlin::bench
