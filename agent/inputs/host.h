#pragma once

#include <memory>

#include "agent/inputs/input.h"

namespace dunlin::agent {

// type = "host": what the machine itself does, one reading per `interval`.
//
//   stream     "host"
//   interval   "10s"
//   proc       "/proc"; another root reads a recorded tree
//   disk_path  "/": the file system whose free bytes are reported
//
// Fields: cpu_user, cpu_system, cpu_idle (decimal(2), % of all cores since the reading before;
// missing in the first one), load_1, load_5, load_15 (decimal(2)), memory_total, memory_available,
// memory_used, network_rx, network_tx (sums over all interfaces but loopback, since boot),
// disk_read, disk_write (sums over whole disks, since boot), disk_free (int64, By). What a machine
// does not tell is missing.
Result<std::unique_ptr<Input>> make_host_input(config::Table& table);

}  // namespace dunlin::agent
