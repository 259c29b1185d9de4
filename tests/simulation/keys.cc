#include "tests/simulation/keys.h"

#include "common/base/check.h"
#include "common/base/sha256.h"
#include "common/security/keys.h"

namespace dunlin::simulation {

namespace {

std::string base64(ByteView bytes) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      group = group << 8 | (i + k < bytes.size() ? bytes[i + k] : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      out += i + k <= bytes.size() ? kDigits[group >> (18 - 6 * k) & 63] : '=';
    }
  }
  return out;
}

Signature keyed_hash(ByteView public_key, ByteView message) {
  const Hash hash = sha256({as_bytes("light signature"), public_key, message});
  Signature signature;
  std::copy(hash.begin(), hash.end(), signature.begin());
  std::copy(hash.begin(), hash.end(), signature.begin() + hash.size());
  return signature;
}

// As large as real ones, since sizes are looked at.
constexpr std::size_t kPublicKeyBytes = 91;
constexpr std::size_t kFiller = 390;  // of a certificate

class LightKey final : public Signer {
 public:
  explicit LightKey(std::uint64_t number) {
    const std::string text = "light key " + std::to_string(number);
    public_key_.assign(text.begin(), text.end());
    public_key_.resize(kPublicKeyBytes);
    node_ = node_id_of(public_key_);
  }
  const NodeId& node() const override { return node_; }
  const Bytes& public_key() const override { return public_key_; }
  Result<Signature> sign(ByteView message) override { return keyed_hash(public_key_, message); }

 private:
  Bytes public_key_;
  NodeId node_;
};

class LightVerifier final : public Verifier {
 public:
  Result<void> verify(ByteView public_key, ByteView message, const Signature& signature) override {
    if (keyed_hash(public_key, message) == signature) return {};
    return {Errc::bad_signature, "not what its key makes"};
  }
};

// Role, node, name: what the signature before them is over, and what fills the room before that.
class FixedAdmission final : public Admission {
 public:
  FixedAdmission(Bytes authority, Verifier& verifier)
      : authority_(std::move(authority)), verifier_(verifier) {}
  const NodeId& authority() const override { return node_; }
  Result<Admitted> examine(ByteView certificate) override {
    Signature signature;
    Admitted of;
    constexpr std::size_t kFixed = 1 + sizeof of.node.bytes;
    const std::size_t head = kFiller + signature.size();
    if (certificate.size() < head + kFixed) return {Errc::malformed, "not a certificate"};
    std::copy_n(certificate.begin() + kFiller, signature.size(), signature.begin());
    const ByteView said = certificate.subspan(head);
    if (!verifier_.verify(authority_, said, signature).ok())
      return {Errc::untrusted, "of another authority"};
    of.gateway = said[0] == 1;
    of.fleet = said[0] == 3;
    of.keeper = said[0] == 2 || of.fleet;
    std::copy_n(said.begin() + 1, of.node.bytes.size(), of.node.bytes.begin());
    of.name.assign(said.begin() + kFixed, said.end());
    return of;
  }
  // A name may end with @ and the only cell that it is for.
  bool is_for(ByteView certificate, std::string_view cell) const override {
    const std::string all(certificate.begin(), certificate.end());
    const std::size_t at = all.rfind('@');
    return at == std::string::npos || at < kFiller || std::string_view(all).substr(at + 1) == cell;
  }

 private:
  Bytes authority_;
  NodeId node_ = node_id_of(authority_);
  Verifier& verifier_;
};

}  // namespace

Bytes fixed_certificate(Signer& authority, const Admitted& of) {
  Signature signature;
  Bytes out(kFiller + signature.size() + 1 + of.node.bytes.size() + of.name.size());
  const auto said = out.begin() + kFiller + signature.size();
  *said = of.gateway ? 1 : of.fleet ? 3 : of.keeper ? 2 : 0;
  std::copy(of.name.begin(), of.name.end(),
            std::copy(of.node.bytes.begin(), of.node.bytes.end(), said + 1));
  signature = authority.sign(ByteView(out).subspan(kFiller + signature.size())).value();
  std::copy(signature.begin(), signature.end(), out.begin() + kFiller);
  return out;
}

std::unique_ptr<Admission> make_admission(const Signer& authority, Verifier& verifier) {
  return std::make_unique<FixedAdmission>(authority.public_key(), verifier);
}

std::unique_ptr<Signer> light_key(std::uint64_t number) {
  return std::make_unique<LightKey>(number);
}

std::unique_ptr<Signer> authority_key(bool light) {
  return light ? light_key(~0ULL) : fixed_key(~0ULL);
}

std::unique_ptr<Verifier> make_light_verifier() {
  return std::make_unique<LightVerifier>();
}

std::unique_ptr<Signer> fixed_key(std::uint64_t number) {
  // RFC 5915: ECPrivateKey without the public key, on prime256v1.
  const Hash secret = sha256(as_bytes("simulated key " + std::to_string(number)));
  Bytes der{0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20};
  der.insert(der.end(), secret.begin(), secret.end());
  const Bytes curve{0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
  der.insert(der.end(), curve.begin(), curve.end());
  auto key = security::NodeKey::from_pem("-----BEGIN EC PRIVATE KEY-----\n" + base64(der) +
                                         "\n-----END EC PRIVATE KEY-----\n");
  DUNLIN_CHECK(key.ok());
  return *std::move(key);
}

}  // namespace dunlin::simulation
