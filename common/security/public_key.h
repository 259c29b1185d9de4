#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>

#include "dunlin/bytes.h"

namespace dunlin::security {

// The one form in which a public key is accepted: the DER SubjectPublicKeyInfo of an uncompressed
// point on P-256 (RFC 5480), 91 bytes. Libraries differ in what else they read (PEM, compressed and
// hybrid points, explicit curves, bytes after the end); a key that only some nodes accept, or a
// node with several ids for one key, would let replicas disagree. Whether the point is on the curve
// is for the library to say.
inline constexpr std::size_t kPublicKeyBytes = 91;

inline bool is_public_key_form(ByteView der) {
  constexpr std::uint8_t kPrefix[] = {
      0x30, 0x59, 0x30, 0x13,                                      // SEQUENCE, AlgorithmIdentifier
      0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,        // id-ecPublicKey
      0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07,  // prime256v1
      0x03, 0x42, 0x00, 0x04};                                     // BIT STRING, uncompressed point
  return der.size() == kPublicKeyBytes &&
         std::equal(std::begin(kPrefix), std::end(kPrefix), der.begin());
}

}  // namespace dunlin::security
