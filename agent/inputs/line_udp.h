#pragma once

#include <memory>

#include "agent/inputs/input.h"

namespace dunlin::agent {

// type = "line_protocol" with `listen`: InfluxDB line protocol in UDP datagrams, as Telegraf and
// InfluxDB's own clients send it.
//
//   listen        "udp://127.0.0.1:8094", "udp://[::1]:8094"; without an address, "udp://:8094", it
//                 is 127.0.0.1. Nobody authenticates a datagram: think before listening elsewhere
//   buffer_bytes  "1MiB": what the kernel may hold while the log has no room; it may allow less
//                 (net.core.rmem_max)
//   precision     of timestamps: ns (default), us, ms, s
//
// The lines of a datagram are handed over together; none goes on in the next one. Malformed lines
// are reported as "<sender> datagram <n>:<line>", counted from the start of the input. Datagrams
// that the kernel dropped are reported, each counted, with the next one that it did not.
Result<std::unique_ptr<Input>> make_line_udp_input(config::Table& table);

}  // namespace dunlin::agent
