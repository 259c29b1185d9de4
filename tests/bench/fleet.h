#pragma once

#include <memory>

#include "tests/support/fleet.h"

namespace dunlin::bench {

inline const test::Mosquitto::Options kQuiet{
    .more_configuration = "log_type none\nlog_type error\nlog_type warning\n"};

// A broker for a benchmark: of a fleet with an authority, TLS with certificates of both sides and
// rights, or an open one over plain TCP. It writes no line for each message.
inline Result<std::unique_ptr<test::Fleet>> start_fleet(bool tls) {
  if (tls) {
    DUNLIN_ASSIGN(test::Fleet::Secured secured, test::Fleet::secure());
    return std::make_unique<test::Fleet>(std::move(secured));
  }
  DUNLIN_ASSIGN(std::unique_ptr<test::Mosquitto> open, test::Mosquitto::start(kQuiet));
  return std::make_unique<test::Fleet>(std::move(open));
}

}  // namespace dunlin::bench
