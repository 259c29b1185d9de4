#pragma once

#include <memory>

#include "common/security/keys.h"

namespace dunlin::simulation {

// The key of simulated node `number`: always the same, so that runs repeat. It protects nothing.
std::unique_ptr<security::NodeKey> fixed_key(std::uint64_t number);

}  // namespace dunlin::simulation
