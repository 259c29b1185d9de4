#pragma once

#include <memory>

#include "agent/inputs/input.h"

namespace dunlin::agent {

// type = "exec": what a program prints.
//
//   command   ["/usr/local/bin/read-sensor", "--once"]: the program and its arguments, no shell
//   interval  "30s": it runs so often, and should end. Without an interval it is kept running, and
//             started again with back-off when it ends
//   timeout   how long it may run, or be silent when it is kept running; then it is killed. "10s",
//             or for ever when it is kept running
//   stream    "exec"
//   format    and its keys: see line_format()
//
// It runs in a process group of its own, which is killed with it. Lines on its standard error are
// reported, and so is an exit code that is not 0; the third failure in a row starts back-off.
Result<std::unique_ptr<Input>> make_exec_input(config::Table& table);

}  // namespace dunlin::agent
