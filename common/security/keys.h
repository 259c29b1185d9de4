#pragma once

#include <memory>
#include <span>
#include <string>

#include "common/log/signer.h"

namespace dunlin::security {

// Random bytes from the kernel, for keys, epochs and nonces.
void random_bytes(std::span<std::uint8_t> out);
std::uint64_t random_u64();

// A node's P-256 key pair (mbedTLS). Signatures are deterministic (RFC 6979) and low-s.
class NodeKey final : public Signer {
 public:
  static Result<std::unique_ptr<NodeKey>> generate();
  // Reads a PEM file, or makes a key and writes it with mode 0600 (flushed to disk, then put
  // into place) when there is no file; all who do so at once get the same. Refuses files that
  // others may read.
  static Result<std::unique_ptr<NodeKey>> load_or_create(const std::string& path);
  static Result<std::unique_ptr<NodeKey>> from_pem(std::string_view pem);
  ~NodeKey() override;

  const NodeId& node() const override { return node_; }
  const Bytes& public_key() const override { return public_key_; }
  Result<Signature> sign(ByteView message) override;
  Result<std::string> to_pem() const;

 private:
  struct Impl;
  explicit NodeKey(std::unique_ptr<Impl> impl);
  Result<void> derive();

  std::unique_ptr<Impl> impl_;
  NodeId node_;
  Bytes public_key_;
};

// The reference, on every node: about 1,000 checks a second and core.
std::unique_ptr<Verifier> make_mbedtls_verifier();
// The same over libcrypto, which Paho links anyway: some 15 times faster. For gateways.
std::unique_ptr<Verifier> make_openssl_verifier();

}  // namespace dunlin::security
