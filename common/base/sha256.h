#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>

#include "dunlin/bytes.h"

namespace dunlin {

using Hash = std::array<std::uint8_t, 32>;

// SHA-256 (FIPS 180-4) over the concatenation of `parts`, by mbedTLS.
Hash sha256(std::initializer_list<ByteView> parts);
inline Hash sha256(ByteView bytes) {
  return sha256({bytes});
}

}  // namespace dunlin
