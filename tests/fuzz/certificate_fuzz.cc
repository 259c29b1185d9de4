// A certificate that reads is written and reads the same, and only what the authority signed is
// believed: libcrypto is asked, too.
#include "common/security/certificate.h"

#include <openssl/x509.h>

#include "common/base/owned.h"
#include "tests/fuzz/fuzz.h"
#include "tests/vectors/samples.h"

namespace dunlin::fuzz {

namespace {

using security::Authority;
using security::Certificate;

using ParsedCertificate = Owned<X509, X509_free>;

ParsedCertificate parsed(const Certificate& certificate) {
  const unsigned char* at = certificate.der().data();
  return ParsedCertificate(d2i_X509(nullptr, &at, static_cast<long>(certificate.der().size())));
}

// Seeds are of the same key, so some of them are believed.
const Certificate& authority() {
  static const Authority kAuthority =
      Authority::create(test::test_key(), "mountain", {0, test::kTestTime}).value();
  return kAuthority.certificate();
}

void check(const Certificate& read) {
  const Result<Certificate> again = Certificate::from_pem(read.to_pem());
  DUNLIN_CHECK(again.ok() && again->der() == read.der() && again->hosts() == read.hosts() &&
               again->member() == read.member() && again->public_key() == read.public_key());
  DUNLIN_CHECK(!verify(authority(), read, std::nullopt).ok());
  if (!verify(read, authority(), std::nullopt).ok()) return;
  DUNLIN_CHECK(read.member()->fleet == "mountain");
  DUNLIN_CHECK(read.common_name() == node_id_of(read.public_key()).to_string());
  const ParsedCertificate other = parsed(read);
  const Owned<EVP_PKEY, EVP_PKEY_free> key(X509_get_pubkey(parsed(authority()).get()));
  DUNLIN_CHECK(other != nullptr && X509_verify(other.get(), key.get()) == 1);
}

}  // namespace

void take(ByteView input) {
  for (const Result<Certificate>& read :
       {Certificate::from_der(input), Certificate::from_pem(as_text(input))}) {
    if (read.ok()) check(*read);
  }
}

}  // namespace dunlin::fuzz
