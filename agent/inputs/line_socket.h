#pragma once

#include <memory>

#include "agent/inputs/input.h"

namespace dunlin::agent {

// type = "line_protocol" with `socket`: InfluxDB line protocol on a Unix stream socket, many
// clients at once.
//
//   socket     its path, required; created with mode 0660 and removed at the end. One that is left
//              over is replaced if nobody listens on it; anything else there is an error (`exists`)
//   precision  of timestamps: ns (default), us, ms, s
//   clients    64: more at a time are turned away
//
// Lines name their streams (line_protocol.h); they are bounded to 64 KiB, the rest of a longer one
// is discarded and reported.
Result<std::unique_ptr<Input>> make_line_socket_input(config::Table& table);

}  // namespace dunlin::agent
