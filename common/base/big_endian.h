#pragma once

#include <cstdint>

namespace dunlin {

// Numbers in hashed and signed texts: 8 bytes, the most significant first. `out` has room for them.
inline void put_be64(std::uint8_t* out, std::uint64_t value) {
  for (int i = 7; i >= 0; --i, value >>= 8) out[i] = static_cast<std::uint8_t>(value);
}

}  // namespace dunlin
