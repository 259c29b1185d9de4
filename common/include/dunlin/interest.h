#pragma once

#include <cstdint>

namespace dunlin {

// Whose logs an agent keeps besides its own: nobody's, those of the agents in its cell, or all.
// With all it meets gateways in the backbone, and keeps its cell as well.
enum class InterestScope : std::uint8_t { own, cell, fleet };

}  // namespace dunlin
