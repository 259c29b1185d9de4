// A certificate signing request that reads is signed by the key in it: libcrypto is asked, too.
#include <openssl/pem.h>

#include "common/base/owned.h"
#include "common/security/certificate.h"
#include "common/security/public_key.h"
#include "tests/fuzz/fuzz.h"

namespace dunlin::fuzz {

void take(ByteView input) {
  const Result<security::Request> request = security::read_request(as_text(input));
  if (!request.ok()) return;
  DUNLIN_CHECK(security::is_public_key_form(request->public_key));
  // libcrypto wants its lines kept, and then has to come to the same.
  const Owned<BIO, BIO_free> text(BIO_new_mem_buf(input.data(), static_cast<int>(input.size())));
  const Owned<X509_REQ, X509_REQ_free> other(
      PEM_read_bio_X509_REQ(text.get(), nullptr, nullptr, nullptr));
  if (other == nullptr) return;
  EVP_PKEY* const key = X509_REQ_get0_pubkey(other.get());
  DUNLIN_CHECK(key != nullptr && X509_REQ_verify(other.get(), key) == 1);
}

}  // namespace dunlin::fuzz
