#pragma once

#include <functional>
#include <stop_token>
#include <string>

#include "common/config/table.h"
#include "common/runtime/node_config.h"
#include "common/runtime/node_view.h"

namespace dunlin::runtime {

// The command line that dunlin-agent and dunlin-gateway share: run, check, healthcheck, status, sql
// and version. Exit codes: 0 ok, 1 failure, 2 usage or configuration.
struct Program {
  std::string name;
  Role role = Role::agent;
  // Reads the program's own sections and returns what runs it: called with the configuration when
  // there are no mistakes; returns the exit code once `stop` is requested (SIGINT, SIGTERM).
  using Run = std::function<int(const NodeConfig& config, std::stop_token stop)>;
  std::function<Run(config::Table& root)> configure;
};

// Waits for a stop request. Meanwhile, while the node's loop answers, it pets the service manager's
// watchdog and answers `healthcheck` (see HealthSocket), and calls `beat` every ten seconds at
// least, if it is given.
void wait_until(const std::stop_token& stop, const std::string& data_dir, NodeView& node,
                const std::function<void()>& beat = {});

// Logs why the program cannot start; returns its exit code.
int fail_to_start(const Error& error);

// Logs that the program is up and tells the service manager; a port 0 = none.
void announce(Database& database, const NodeConfig& config, int http_port, int https_port = 0);

int run_program(const Program& program, int argc, char** argv);

}  // namespace dunlin::runtime
