#pragma once

#include <string>

#include "dunlin/result.h"

namespace dunlin::agent {

// A small file of /proc, /sys or a secret, whole; `io` or `not_found`. At most 1 MiB is read.
Result<std::string> read_small_file(const std::string& path);

// errno as a sentence.
std::string last_os_error();

}  // namespace dunlin::agent
