#pragma once

#include <openssl/x509.h>

#include <memory>

#include "common/security/certificate.h"

namespace httplib {
class Client;
}

namespace dunlin::cli {

// Whom to believe, when a certificate is looked at: that one alone. httplib adds the authorities of
// the system to whatever store it is given.
class Trust {
 public:
  static Result<Trust> make(const security::Certificate& authority);
  // For as long as the client lives.
  void give(httplib::Client& client) const;

 private:
  struct Free {
    void operator()(STACK_OF(X509) * stack) const { sk_X509_pop_free(stack, X509_free); }
  };

  std::unique_ptr<STACK_OF(X509), Free> alone_;
};

}  // namespace dunlin::cli
