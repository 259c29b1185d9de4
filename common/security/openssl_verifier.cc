#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <algorithm>
#include <vector>

#include "common/base/owned.h"
#include "common/security/keys.h"
#include "common/security/public_key.h"

namespace dunlin::security {

namespace {

using Key = Owned<EVP_PKEY, EVP_PKEY_free>;
using Context = Owned<EVP_MD_CTX, EVP_MD_CTX_free>;
using EcdsaSignature = Owned<ECDSA_SIG, ECDSA_SIG_free>;
using Number = Owned<BIGNUM, BN_free>;

// Half the order of P-256 (SEC 2), big endian: the greatest s of a low-s signature.
constexpr std::uint8_t kHalfOrder[32] = {
    0x7f, 0xff, 0xff, 0xff, 0x80, 0x00, 0x00, 0x00, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xde, 0x73, 0x7d, 0x56, 0xd3, 0x8b, 0xcf, 0x42, 0x79, 0xdc, 0xe5, 0x61, 0x7e, 0x31, 0x92, 0xa8};

class OpensslVerifier final : public Verifier {
 public:
  Result<void> verify(ByteView public_key, ByteView message, const Signature& signature) override {
    DUNLIN_ASSIGN(EVP_PKEY* const key, parsed(public_key));
    const Error refused{Errc::bad_signature, "the key did not make this signature"};
    if (std::lexicographical_compare(std::begin(kHalfOrder), std::end(kHalfOrder),
                                     signature.begin() + 32, signature.end())) {
      return refused;
    }
    EcdsaSignature pair(ECDSA_SIG_new());
    Number r(BN_bin2bn(signature.data(), 32, nullptr));
    Number s(BN_bin2bn(signature.data() + 32, 32, nullptr));
    if (!pair || !r || !s || ECDSA_SIG_set0(pair.get(), r.get(), s.get()) != 1) return refused;
    (void)r.release();  // owned by `pair` now
    (void)s.release();
    unsigned char der[80];
    unsigned char* end = der;
    const int size = i2d_ECDSA_SIG(pair.get(), &end);
    const Context context(EVP_MD_CTX_new());
    if (size <= 0 || !context ||
        EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key) != 1 ||
        EVP_DigestVerify(context.get(), der, static_cast<std::size_t>(size), message.data(),
                         message.size()) != 1) {
      return refused;
    }
    return {};
  }

 private:
  // Parsing a key costs as much as a check, and a gateway hears the same nodes again and again.
  static constexpr std::size_t kCachedKeys = 256;
  struct Cached {
    Bytes der;
    Key key;
  };

  Result<EVP_PKEY*> parsed(ByteView der) {
    const Error refused{Errc::malformed, "not a P-256 public key"};
    if (!is_public_key_form(der)) return refused;
    const NodeId id = node_id_of(der);
    Cached& slot = cache_[std::hash<NodeId>{}(id) % kCachedKeys];
    if (std::equal(der.begin(), der.end(), slot.der.begin(), slot.der.end())) return slot.key.get();
    const unsigned char* at = der.data();
    Key key(d2i_PUBKEY(nullptr, &at, static_cast<long>(der.size())));
    if (!key) return refused;
    slot = {Bytes(der.begin(), der.end()), std::move(key)};
    return slot.key.get();
  }

  std::vector<Cached> cache_{kCachedKeys};
};

}  // namespace

std::unique_ptr<Verifier> make_openssl_verifier() {
  return std::make_unique<OpensslVerifier>();
}

}  // namespace dunlin::security
