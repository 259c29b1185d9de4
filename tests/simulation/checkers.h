#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/simulation/cluster.h"

namespace dunlin::simulation {

using Problems = std::vector<std::string>;

// Everything that a database holds, decoded from its stored segments.
struct Holdings {
  struct Log {
    LogState state;
    std::map<Seq, Hash> entries;
    std::map<Seq, std::uint64_t> readings;  // of each entry
  };
  struct Found {
    LogId log;
    Seq seq = 0;
    std::string mistake;  // against what was appended
  };
  std::map<LogId, Log> logs;
  std::map<std::uint64_t, Found> readings;  // by id
  Problems problems;                        // doubled entries, broken chains, what does not decode
};
Holdings read_holdings(SimNode& node, const std::map<std::uint64_t, Reading>& appended);
// What all agents were given, by its id.
std::map<std::uint64_t, Reading> all_readings(Cluster& cluster);

// Whether everybody who keeps an agent's logs holds, or knows to be lost, all of its present epoch.
bool converged(Cluster& cluster);

struct Expectations {
  bool losses = false;  // agents may have declared some readings lost
  bool crashes = true;  // so that readings that were never reported durable may exist
  bool forks = false;   // somebody wrote twice under one number; it must be known
  Duration settles_within = std::chrono::minutes(20);
};
// To be asked after converged(): every promised reading is exactly once at everybody
// who keeps it and as it was appended, or declared lost and counted; nothing else is there; states
// agree; bounds and message budgets were kept; forks are known where they are.
Problems check_convergence(Cluster& cluster, Expectations expected);

// Logs that were written twice: none, or, where they are to be expected, known to a gateway or to
// the one who wrote on elsewhere.
Problems check_forks(Cluster& cluster, bool expected);
// Whether everybody kept to the messages that entries, hours and mishaps account for. Not for runs
// with an intruder, who is answered.
Problems check_budgets(Cluster& cluster);

}  // namespace dunlin::simulation
