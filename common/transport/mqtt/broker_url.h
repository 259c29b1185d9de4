#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "dunlin/result.h"

namespace dunlin {

// Where a broker listens. `mqtt://host[:1883]` or `mqtts://host[:8883]`; an IPv6 address stands in
// brackets. Credentials and paths are refused: they belong into other options.
struct BrokerUrl {
  std::string host;  // with its brackets
  std::uint16_t port = 0;
  bool tls = false;

  static Result<BrokerUrl> parse(std::string_view text);
  // By its name: localhost, 127.0.0.0/8 or [::1].
  bool is_loopback() const;
  // Neither encrypted nor on this machine alone.
  bool is_exposed() const { return !tls && !is_loopback(); }
  std::string address() const { return host + ":" + std::to_string(port); }
};

// Whether HOST:PORT is this machine alone, by its name as above.
bool is_loopback_address(std::string_view address);

}  // namespace dunlin
