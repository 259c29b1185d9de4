#pragma once

#include <algorithm>

#include "common/base/sha256.h"
#include "common/log/signer.h"

namespace dunlin::test {

// A hash in the place of P-256: as strict about what was signed by whom, and a hundred times
// faster. Whoever knows the public key can forge it.
inline Signature hash_signature(ByteView public_key, ByteView message) {
  const Hash hash = sha256({public_key, message});
  Signature signature{};
  std::copy(hash.begin(), hash.end(), signature.begin());
  return signature;
}

class HashSigner final : public Signer {
 public:
  explicit HashSigner(std::uint8_t number)
      : public_key_(8, number), node_(node_id_of(public_key_)) {}
  const NodeId& node() const override { return node_; }
  const Bytes& public_key() const override { return public_key_; }
  Result<Signature> sign(ByteView message) override { return hash_signature(public_key_, message); }

 private:
  Bytes public_key_;
  NodeId node_;
};

class HashVerifier final : public Verifier {
 public:
  Result<void> verify(ByteView public_key, ByteView message, const Signature& signature) override {
    if (hash_signature(public_key, message) == signature) return {};
    return {Errc::bad_signature, "not signed by this key"};
  }
};

}  // namespace dunlin::test
