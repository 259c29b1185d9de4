#include "common/base/sha256.h"

#include <mbedtls/sha256.h>

#include "common/base/check.h"

namespace dunlin {

Hash sha256(std::initializer_list<ByteView> parts) {
  mbedtls_sha256_context context;
  mbedtls_sha256_init(&context);
  DUNLIN_CHECK(mbedtls_sha256_starts_ret(&context, 0) == 0);
  for (ByteView part : parts) {
    DUNLIN_CHECK(mbedtls_sha256_update_ret(&context, part.data(), part.size()) == 0);
  }
  Hash hash;
  DUNLIN_CHECK(mbedtls_sha256_finish_ret(&context, hash.data()) == 0);
  mbedtls_sha256_free(&context);
  return hash;
}

}  // namespace dunlin
