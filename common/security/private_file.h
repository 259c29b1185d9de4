#pragma once

#include <string>
#include <string_view>

#include "dunlin/result.h"

namespace dunlin::security {

// Files that hold secrets, at most 16 KiB.

// `not_found` when there is none; `io` also when others than its owner may read it.
Result<std::string> read_private_file(const std::string& path);
// Mode 0600; flushed to the disk, then renamed into place.
Result<void> write_private_file(const std::string& path, std::string_view text);
// The same where there is none yet, else `exists`: of several that try one succeeds.
Result<void> create_private_file(const std::string& path, std::string_view text);

}  // namespace dunlin::security
