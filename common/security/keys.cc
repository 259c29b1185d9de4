#include "common/security/keys.h"

#include <mbedtls/ecdsa.h>
#include <mbedtls/pk.h>
#include <sys/random.h>

#include <cerrno>
#include <cstring>

#include "common/base/check.h"
#include "common/base/sha256.h"
#include "common/security/private_file.h"
#include "common/security/public_key.h"

namespace dunlin::security {

namespace {

int fill_random(void*, unsigned char* out, std::size_t size) {
  random_bytes({out, size});
  return 0;
}

constexpr std::size_t kPemBytesMax = 4096;

struct Mpi {
  mbedtls_mpi n;
  Mpi() { mbedtls_mpi_init(&n); }
  ~Mpi() { mbedtls_mpi_free(&n); }
  Mpi(const Mpi&) = delete;
  Mpi& operator=(const Mpi&) = delete;
};

// s > order / 2, which a low-s signature never has.
bool is_high(const mbedtls_mpi& s, const mbedtls_ecp_group& group) {
  Mpi half;
  DUNLIN_CHECK(mbedtls_mpi_copy(&half.n, &group.N) == 0);
  DUNLIN_CHECK(mbedtls_mpi_shift_r(&half.n, 1) == 0);
  return mbedtls_mpi_cmp_mpi(&s, &half.n) > 0;
}

}  // namespace

void random_bytes(std::span<std::uint8_t> out) {
  while (!out.empty()) {
    const ssize_t n = ::getrandom(out.data(), out.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    DUNLIN_CHECK(n > 0);
    out = out.subspan(static_cast<std::size_t>(n));
  }
}

std::uint64_t random_u64() {
  std::uint64_t value = 0;
  random_bytes({reinterpret_cast<std::uint8_t*>(&value), sizeof value});
  return value;
}

struct NodeKey::Impl {
  mbedtls_pk_context pk;
  Impl() { mbedtls_pk_init(&pk); }
  ~Impl() { mbedtls_pk_free(&pk); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  mbedtls_ecp_keypair& pair() { return *mbedtls_pk_ec(pk); }
};

NodeKey::NodeKey(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
NodeKey::~NodeKey() = default;

Result<void> NodeKey::derive() {
  unsigned char der[256];
  const int n = mbedtls_pk_write_pubkey_der(&impl_->pk, der, sizeof der);  // at the buffer's end
  if (n <= 0) return {Errc::io, "cannot encode the public key"};
  public_key_.assign(der + sizeof der - n, der + sizeof der);
  node_ = node_id_of(public_key_);
  return {};
}

Result<std::unique_ptr<NodeKey>> NodeKey::generate() {
  auto impl = std::make_unique<Impl>();
  if (mbedtls_pk_setup(&impl->pk, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) != 0 ||
      mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, &impl->pair(), fill_random, nullptr) != 0) {
    return {Errc::io, "cannot generate a P-256 key"};
  }
  std::unique_ptr<NodeKey> key(new NodeKey(std::move(impl)));
  DUNLIN_TRY(key->derive());
  return key;
}

Result<std::unique_ptr<NodeKey>> NodeKey::from_pem(std::string_view pem) {
  auto impl = std::make_unique<Impl>();
  const std::string text(pem);  // mbedTLS wants the terminating zero counted
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.c_str());
  if (mbedtls_pk_parse_key(&impl->pk, bytes, text.size() + 1, nullptr, 0) != 0 ||
      !mbedtls_pk_can_do(&impl->pk, MBEDTLS_PK_ECDSA) ||
      impl->pair().grp.id != MBEDTLS_ECP_DP_SECP256R1) {
    return {Errc::malformed, "not a P-256 private key in PEM form"};
  }
  std::unique_ptr<NodeKey> key(new NodeKey(std::move(impl)));
  DUNLIN_TRY(key->derive());
  return key;
}

Result<std::unique_ptr<NodeKey>> NodeKey::load_or_create(const std::string& path) {
  const Result<std::string> there = read_private_file(path);
  if (there.ok()) {
    auto key = from_pem(*there);
    if (!key.ok()) return Error{key.error().code, path + ": " + key.error().context};
    return key;
  }
  if (there.error().code != Errc::not_found) return there.error();
  DUNLIN_ASSIGN(std::unique_ptr<NodeKey> key, generate());
  DUNLIN_ASSIGN(const std::string pem, key->to_pem());
  const Result<void> created = create_private_file(path, pem);
  // Somebody else was first: agent and `dunlin enrol` may start together.
  if (!created.ok() && created.error().code == Errc::exists) return load_or_create(path);
  DUNLIN_TRY(created);
  return key;
}

Result<std::string> NodeKey::to_pem() const {
  std::string pem(kPemBytesMax, '\0');
  if (mbedtls_pk_write_key_pem(&impl_->pk, reinterpret_cast<unsigned char*>(pem.data()),
                               pem.size()) != 0) {
    return {Errc::io, "cannot encode the private key"};
  }
  pem.resize(std::strlen(pem.c_str()));
  return pem;
}

Result<Signature> NodeKey::sign(ByteView message) {
  const Hash digest = sha256(message);
  mbedtls_ecp_keypair& pair = impl_->pair();
  Mpi r;
  Mpi s;
  if (mbedtls_ecdsa_sign_det_ext(&pair.grp, &r.n, &s.n, &pair.d, digest.data(), digest.size(),
                                 MBEDTLS_MD_SHA256, fill_random, nullptr) != 0) {
    return {Errc::io, "signing failed"};
  }
  if (is_high(s.n, pair.grp)) DUNLIN_CHECK(mbedtls_mpi_sub_mpi(&s.n, &pair.grp.N, &s.n) == 0);
  Signature signature;
  DUNLIN_CHECK(mbedtls_mpi_write_binary(&r.n, signature.data(), 32) == 0);
  DUNLIN_CHECK(mbedtls_mpi_write_binary(&s.n, signature.data() + 32, 32) == 0);
  return signature;
}

namespace {

class MbedtlsVerifier final : public Verifier {
 public:
  Result<void> verify(ByteView public_key, ByteView message, const Signature& signature) override {
    mbedtls_pk_context pk;
    mbedtls_pk_init(&pk);
    const Result<void> result = check(pk, public_key, message, signature);
    mbedtls_pk_free(&pk);
    return result;
  }

 private:
  static Result<void> check(mbedtls_pk_context& pk, ByteView public_key, ByteView message,
                            const Signature& signature) {
    if (!is_public_key_form(public_key) ||
        mbedtls_pk_parse_public_key(&pk, public_key.data(), public_key.size()) != 0) {
      return {Errc::malformed, "not a P-256 public key"};
    }
    mbedtls_ecp_keypair& pair = *mbedtls_pk_ec(pk);
    const Hash digest = sha256(message);
    Mpi r;
    Mpi s;
    DUNLIN_CHECK(mbedtls_mpi_read_binary(&r.n, signature.data(), 32) == 0);
    DUNLIN_CHECK(mbedtls_mpi_read_binary(&s.n, signature.data() + 32, 32) == 0);
    if (is_high(s.n, pair.grp) ||
        mbedtls_ecdsa_verify(&pair.grp, digest.data(), digest.size(), &pair.Q, &r.n, &s.n) != 0) {
      return {Errc::bad_signature, "the key did not make this signature"};
    }
    return {};
  }
};

}  // namespace

std::unique_ptr<Verifier> make_mbedtls_verifier() {
  return std::make_unique<MbedtlsVerifier>();
}

}  // namespace dunlin::security
