#pragma once

#include <array>

#include "common/base/ids.h"
#include "dunlin/bytes.h"

namespace dunlin {

// ECDSA P-256 over SHA-256, raw r || s (32 bytes each, big endian), low s.
using Signature = std::array<std::uint8_t, 64>;

// How signing and verifying reach the core, which knows no cryptography library. Both are called
// from one thread at a time per object.
class Signer {
 public:
  virtual ~Signer() = default;
  virtual const NodeId& node() const = 0;
  virtual const Bytes& public_key() const = 0;  // SubjectPublicKeyInfo, DER
  virtual Result<Signature> sign(ByteView message) = 0;
};

class Verifier {
 public:
  virtual ~Verifier() = default;
  // `bad_signature` unless the key made it; `malformed` when the key is none.
  virtual Result<void> verify(ByteView public_key, ByteView message,
                              const Signature& signature) = 0;
};

// The node that a SubjectPublicKeyInfo belongs to.
NodeId node_id_of(ByteView public_key);

}  // namespace dunlin
