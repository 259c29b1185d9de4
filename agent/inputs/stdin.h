#pragma once

#include <memory>

#include "agent/inputs/input.h"
#include "agent/inputs/line_intake.h"

namespace dunlin::agent {

// type = "stdin": lines from standard input, or from whatever the agent was started with; ends at
// the end of the input. One [[input]] of this type per agent.
//
//   stream  "stdin"
//   format  and its keys: see line_format()
//
// Lines are bounded to 64 KiB; the rest of a longer one is discarded and reported.
Result<std::unique_ptr<Input>> make_stdin_input(config::Table& table);

// The same from any readable descriptor, not owned; `place` names it in reports.
std::unique_ptr<Input> make_lines_input(LineFormat format, int fd, std::string place);

}  // namespace dunlin::agent
