#pragma once

#include <functional>
#include <stop_token>
#include <string>

#include "common/config/table.h"
#include "common/runtime/node_config.h"

namespace dunlin::runtime {

// The command line that dunlin-agent and dunlin-gateway share: run, check, status, sql and version.
// Exit codes: 0 ok, 1 failure, 2 usage or configuration.
struct Program {
  std::string name;
  Role role = Role::agent;
  // Reads the program's own sections and returns what runs it: called with the configuration when
  // there are no mistakes; returns the exit code once `stop` is requested (SIGINT, SIGTERM).
  using Run = std::function<int(const NodeConfig& config, std::stop_token stop)>;
  std::function<Run(config::Table& root)> configure;
};

int run_program(const Program& program, int argc, char** argv);

}  // namespace dunlin::runtime
