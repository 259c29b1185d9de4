#pragma once

#include "common/runtime/program.h"

namespace dunlin::agent {

// dunlin-agent: reads the sensors of [[input]] into the log of this device and replicates it.
runtime::Program program();

}  // namespace dunlin::agent
