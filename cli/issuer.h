#pragma once

#include <string>

#include "cli/fleet.h"
#include "common/base/time.h"
#include "common/http/message.h"
#include "common/telemetry/rate_limit.h"

namespace dunlin::cli {

// Answers devices that ask to become a member, or to stay one (common/doc/http.md, POST /v1/enrol),
// with the authority's key from the fleet's folder. `body` is theirs, whatever came between.
//
// A token makes a member of one key, once; the same key may ask again, as answers get lost. Who was
// that member, and let its certificate end, is it again. Without
// a token a member's certificate is renewed when less than a third of `days` is left of it. The
// request is signed by the device's key, and who asks in another's name gets nothing but a public
// certificate. What is refused is logged, once a minute and reason. Thread-safe.
class Issuer {
 public:
  Issuer(std::string folder, int days, Fleet::Passphrase passphrase = {})
      : folder_(std::move(folder)), days_(days), passphrase_(std::move(passphrase)) {}
  http::Response answer(const std::string& body, UtcMicros now);

 private:
  const std::string folder_;
  const int days_;
  const Fleet::Passphrase passphrase_;
  RateLimit logged_;
};

// Does that on HOST:PORT of this machine until SIGINT or SIGTERM; returns an exit code. Asks for
// the passphrase when it starts, if the key has one.
int serve_enrolments(const std::string& folder, const std::string& listen, int days,
                     const Fleet::Passphrase& passphrase);

}  // namespace dunlin::cli
