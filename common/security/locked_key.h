#pragma once

#include <string>
#include <string_view>

#include "dunlin/result.h"

namespace dunlin::security {

// A private key in PEM form under a passphrase: PKCS #8 by PBES2 (RFC 8018) with AES-256-CBC and
// 600,000 rounds of PBKDF2 over HMAC-SHA-256, some 0.2 s to open. `openssl pkey` reads and writes
// the same. By libcrypto, as Mbed TLS 2.28 knows no AES here.
Result<std::string> lock_key(std::string_view key_pem, std::string_view passphrase);
bool is_locked(std::string_view pem);
// The key as NodeKey::from_pem() reads it. `untrusted` when the passphrase is another one,
// `malformed` when it is no locked key.
Result<std::string> unlock_key(std::string_view locked_pem, std::string_view passphrase);

}  // namespace dunlin::security
