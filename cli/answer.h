#pragma once

#include <string>
#include <string_view>

#include "common/security/bundle.h"

namespace dunlin::cli {

// What a device that enrols or renews is answered (common/doc/http.md). Gateways pass it on, so all
// of it is signed by the authority: addresses too, as they say whom the device will ask.
Result<std::string> write_answer(const security::Membership& membership, Signer& authority);

// The device's side: `body` is by whoever answered. `untrusted` unless the authority signed it for
// that key, `bad_signature`, `malformed`. The authority's certificate is `authority`, or the one
// that succeeds it.
Result<security::Membership> read_answer(std::string_view body,
                                         const security::Certificate& authority,
                                         ByteView public_key);

}  // namespace dunlin::cli
