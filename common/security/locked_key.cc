#include "common/security/locked_key.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>

#include "common/base/owned.h"

namespace dunlin::security {

namespace {

constexpr int kRounds = 600'000;

using Bio = Owned<BIO, BIO_free>;
using Key = Owned<EVP_PKEY, EVP_PKEY_free>;
using Plain = Owned<PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free>;
using Locked = Owned<X509_SIG, X509_SIG_free>;

Bio reading(std::string_view text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// What was written into a memory BIO.
std::string text_of(const Bio& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

// libcrypto keeps what went wrong for whoever asks next: nobody.
Error failed(Errc code, const std::string& what) {
  ERR_clear_error();
  return {code, what};
}

int no_passphrase(char*, int, int, void*) {
  return -1;  // and no prompt on a terminal
}

}  // namespace

Result<std::string> lock_key(std::string_view key_pem, std::string_view passphrase) {
  if (passphrase.empty()) return {Errc::invalid_argument, "an empty passphrase"};
  const Bio in = reading(key_pem);
  const Key key(PEM_read_bio_PrivateKey(in.get(), nullptr, no_passphrase, nullptr));
  if (key == nullptr) return failed(Errc::malformed, "not a private key in PEM form");
  const Plain plain(EVP_PKEY2PKCS8(key.get()));
  // The salt is random (nullptr), and so is the initial vector.
  X509_ALGOR* how =
      PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), kRounds, nullptr, 0, nullptr, NID_hmacWithSHA256);
  if (plain == nullptr || how == nullptr) {
    X509_ALGOR_free(how);
    return failed(Errc::io, "locking a key");
  }
  const Locked locked(
      PKCS8_set0_pbe(passphrase.data(), static_cast<int>(passphrase.size()), plain.get(), how));
  if (locked == nullptr) {
    X509_ALGOR_free(how);
    return failed(Errc::io, "locking a key");
  }
  const Bio out(BIO_new(BIO_s_mem()));
  if (out == nullptr || PEM_write_bio_PKCS8(out.get(), locked.get()) != 1)
    return failed(Errc::io, "writing a locked key");
  return text_of(out);
}

bool is_locked(std::string_view pem) {
  return pem.find("-----BEGIN ENCRYPTED PRIVATE KEY-----") != std::string_view::npos;
}

Result<std::string> unlock_key(std::string_view locked_pem, std::string_view passphrase) {
  const Bio in = reading(locked_pem);
  const Locked locked(PEM_read_bio_PKCS8(in.get(), nullptr, no_passphrase, nullptr));
  if (locked == nullptr) return failed(Errc::malformed, "not a key under a passphrase");
  const Plain plain(
      PKCS8_decrypt(locked.get(), passphrase.data(), static_cast<int>(passphrase.size())));
  const Key key(plain == nullptr ? nullptr : EVP_PKCS82PKEY(plain.get()));
  if (key == nullptr) return failed(Errc::untrusted, "the passphrase does not open the key");
  const Bio out(BIO_new(BIO_s_secmem()));
  if (out == nullptr ||
      PEM_write_bio_PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return failed(Errc::io, "writing a key");
  return text_of(out);
}

}  // namespace dunlin::security
