#pragma once

#include <string>

#include "cli/fleet.h"

namespace dunlin::cli {

// The first line of a file of mode 0600 or stricter; with no file the one that is typed at the
// terminal, unseen. `invalid_argument` where there is neither.
Fleet::Passphrase passphrase_from(const std::string& file);
// A new one, typed twice.
Result<std::string> new_passphrase(const std::string& file);

}  // namespace dunlin::cli
