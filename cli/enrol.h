#pragma once

#include <string>

#include "common/security/bundle.h"
#include "common/security/token.h"

namespace dunlin::cli {

// The device's side of common/doc/http.md, POST /v1/enrol. Its key is made where it stays, in the
// data directory, and never leaves it. Nothing is believed but what the token's authority signed:
// first its certificate is fetched from whoever answers and held against the token, then TLS checks
// the gateway against that.
//
// A member of that fleet stays as it is until its certificate is over, by the device's clock: then
// it needs a token like anybody else. `exists` when the data directory is of another;
// `untrusted` when the gateway is not of that fleet, or refuses; `io` when it cannot be reached:
// try again.
Result<security::Membership> enrol(const security::Token& token, const std::string& data_dir,
                                   UtcMicros now);

// The same for a member whose certificate ends, which it shows: by the gateway that its bundle or
// token named, or by `gateway`. What it gets may be the certificate it has, while that is good for
// long.
Result<security::Membership> renew(const std::string& data_dir, const std::string& gateway,
                                   UtcMicros now);

}  // namespace dunlin::cli
