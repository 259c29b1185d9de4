#include "cli/wifi.h"

#include <openssl/evp.h>

#include <algorithm>
#include <fstream>

#include "dunlin/bytes.h"

namespace dunlin::cli {

namespace {

constexpr int kRounds = 4096;
constexpr std::size_t kNetworkMax = 32, kPassphraseMin = 8, kPassphraseMax = 63, kKey = 32;

}  // namespace

Result<security::Wifi> make_wifi(const std::string& network, const std::string& passphrase) {
  if (network.empty() || network.size() > kNetworkMax)
    return {Errc::invalid_argument, "the name of a wireless network has 1 to 32 bytes"};
  const auto printable = [](char each) { return each >= ' ' && each <= '~'; };
  if (passphrase.size() < kPassphraseMin || passphrase.size() > kPassphraseMax ||
      !std::all_of(passphrase.begin(), passphrase.end(), printable))
    return {Errc::invalid_argument, "a passphrase has 8 to 63 printable characters of ASCII"};
  Bytes key(kKey);
  if (PKCS5_PBKDF2_HMAC_SHA1(passphrase.data(), int(passphrase.size()),
                             reinterpret_cast<const unsigned char*>(network.data()),
                             int(network.size()), kRounds, int(key.size()), key.data()) != 1)
    return {Errc::unsupported, "OpenSSL makes no key of the passphrase"};
  return security::Wifi{to_hex(as_bytes(network)), to_hex(key)};
}

Result<security::Wifi> read_wifi(const std::string& network, const std::string& passphrase_file) {
  std::ifstream file(passphrase_file);
  std::string passphrase;
  if (!std::getline(file, passphrase))
    return {Errc::not_found, passphrase_file + ": no passphrase can be read"};
  return make_wifi(network, passphrase);
}

}  // namespace dunlin::cli
