#pragma once

#include "dunlin/result.h"
#include "tests/bench/replicate.h"

namespace dunlin::bench {

// What trust costs: segments verified in a second by each back end (read, decoded, hashed,
// signature checked), and signatures alone; full TLS handshakes with certificates of both sides in
// a second, between one client and mosquitto on this machine; and what TLS adds to a flush of one
// reading and to the memory of an agent.
Result<Figures> run_security();

}  // namespace dunlin::bench
