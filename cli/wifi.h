#pragma once

#include <string>

#include "common/security/bundle.h"

namespace dunlin::cli {

// A wireless network with the key that WPA2 makes of its passphrase (IEEE 802.11, annex J.4), which
// is the first line of a file. `invalid_argument` when that is no name or no passphrase.
Result<security::Wifi> read_wifi(const std::string& network, const std::string& passphrase_file);
Result<security::Wifi> make_wifi(const std::string& network, const std::string& passphrase);

}  // namespace dunlin::cli
