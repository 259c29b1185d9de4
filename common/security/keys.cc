#include "common/security/keys.h"

#include <fcntl.h>
#include <mbedtls/ecdsa.h>
#include <mbedtls/pk.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common/base/check.h"
#include "common/base/sha256.h"
#include "common/security/public_key.h"

namespace dunlin::security {

namespace {

int fill_random(void*, unsigned char* out, std::size_t size) {
  random_bytes({out, size});
  return 0;
}

Error io_error(const std::string& what, const std::string& path) {
  return {Errc::io, what + " " + path + ": " + std::strerror(errno)};
}

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

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

constexpr std::size_t kKeyFileBytesMax = 4096;

Result<std::string> read_private(const std::string& path, int raw_fd) {
  const FileDescriptor fd(raw_fd);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return io_error("cannot inspect", path);
  if ((info.st_mode & 077) != 0) {
    return {Errc::io, path + " may be read by others; it must have mode 0600"};
  }
  std::string text(kKeyFileBytesMax, '\0');
  const ssize_t n = ::read(fd.get(), text.data(), text.size());
  if (n < 0) return io_error("cannot read", path);
  text.resize(static_cast<std::size_t>(n));
  return text;
}

Result<void> write_private(const std::string& path, std::string_view text) {
  const std::string fresh = path + ".new";
  ::unlink(fresh.c_str());
  const FileDescriptor fd(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (fd.get() < 0) return io_error("cannot create", fresh);
  if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      ::fsync(fd.get()) != 0) {
    return io_error("cannot write", fresh);
  }
  if (::rename(fresh.c_str(), path.c_str()) != 0) return io_error("cannot rename to", path);
  const std::size_t slash = path.find_last_of('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const FileDescriptor dir(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (dir.get() < 0 || ::fsync(dir.get()) != 0) return io_error("cannot flush", folder);
  return {};
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
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd >= 0) {
    DUNLIN_ASSIGN(const std::string pem, read_private(path, fd));
    auto key = from_pem(pem);
    if (!key.ok()) return Error{key.error().code, path + ": " + key.error().context};
    return key;
  }
  if (errno != ENOENT) return io_error("cannot open", path);
  DUNLIN_ASSIGN(std::unique_ptr<NodeKey> key, generate());
  DUNLIN_ASSIGN(const std::string pem, key->to_pem());
  DUNLIN_TRY(write_private(path, pem));
  return key;
}

Result<std::string> NodeKey::to_pem() const {
  std::string pem(kKeyFileBytesMax, '\0');
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
