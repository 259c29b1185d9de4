#pragma once

#include <memory>

#include "tests/support/fleet.h"

namespace dunlin::bench {

// A broker for a benchmark: of a fleet with an authority, TLS with certificates of both sides and
// rights, or an open one over plain TCP.
inline Result<std::unique_ptr<test::Fleet>> start_fleet(bool tls) {
  if (tls) {
    DUNLIN_ASSIGN(test::Fleet::Secured secured, test::Fleet::secure());
    return std::make_unique<test::Fleet>(std::move(secured));
  }
  DUNLIN_ASSIGN(std::unique_ptr<test::Mosquitto> open, test::Mosquitto::start());
  return std::make_unique<test::Fleet>(std::move(open));
}

}  // namespace dunlin::bench
