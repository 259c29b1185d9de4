#include "cli/trust.h"

#include <httplib.h>
#include <openssl/ssl.h>

#include "common/base/check.h"

namespace dunlin::cli {

namespace {

int look(X509_STORE_CTX* chain, void* alone) {
  X509_STORE_CTX_set0_trusted_stack(chain, static_cast<STACK_OF(X509)*>(alone));
  return X509_verify_cert(chain);
}

}  // namespace

Result<Trust> Trust::make(const security::Certificate& authority) {
  const unsigned char* at = authority.der().data();
  X509* const certificate = d2i_X509(nullptr, &at, static_cast<long>(authority.der().size()));
  if (certificate == nullptr) return {Errc::malformed, "the authority's certificate"};
  Trust trust;
  trust.alone_.reset(sk_X509_new_null());
  DUNLIN_CHECK(trust.alone_ && sk_X509_push(trust.alone_.get(), certificate) > 0);
  return trust;
}

void Trust::give(httplib::Client& client) const {
  client.enable_server_certificate_verification(true);
  SSL_CTX_set_cert_verify_callback(client.ssl_context(), look, alone_.get());
}

}  // namespace dunlin::cli
