#include "common/security/token.h"

extern "C" {  // as the header of 2.28 forgets
#include <mbedtls/constant_time.h>
}
#include <mbedtls/md.h>

#include <algorithm>

#include "common/base/check.h"
#include "common/security/keys.h"

namespace dunlin::security {

namespace {

constexpr std::size_t kIdBytes = 8, kSecretBytes = 16;

// `size` bytes of hex digits up to the next dot or the end.
Result<Bytes> take(std::string_view& text, std::size_t size) {
  const std::size_t end = std::min(text.find('.'), text.size());
  const Result<Bytes> bytes = from_hex(text.substr(0, end));
  if (!bytes.ok() || bytes->size() != size)
    return {Errc::malformed, "a token is https://HOST[:PORT]#AUTHORITY.ID.SECRET"};
  text.remove_prefix(std::min(end + 1, text.size()));
  return bytes;
}

}  // namespace

bool is_url(std::string_view text, std::string_view scheme) {
  return text.starts_with(scheme) && text.size() > scheme.size() &&
         std::all_of(text.begin() + scheme.size(), text.end(), [](char c) {
           return c > ' ' && c < 0x7f && c != '/' && c != '#' && c != '?';
         });
}

bool is_gateway_url(std::string_view text) {
  return is_url(text, "https://");
}

Token make_token(std::string gateway, const NodeId& authority) {
  Bytes id(kIdBytes), secret(kSecretBytes);
  random_bytes(id);
  random_bytes(secret);
  return {std::move(gateway), authority, to_hex(id), std::move(secret)};
}

std::string write_token(const Token& token) {
  return token.gateway + "#" + token.authority.to_string() + "." + token.id + "." +
         to_hex(token.secret);
}

Result<Token> read_token(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' '))
    text.remove_suffix(1);
  const std::size_t hash = std::min(text.find('#'), text.size());
  Token token;
  token.gateway = text.substr(0, hash);
  std::string_view rest = text.substr(std::min(hash + 1, text.size()));
  DUNLIN_ASSIGN(const Bytes authority, take(rest, token.authority.bytes.size()));
  std::copy(authority.begin(), authority.end(), token.authority.bytes.begin());
  DUNLIN_ASSIGN(const Bytes id, take(rest, kIdBytes));
  token.id = to_hex(id);
  DUNLIN_ASSIGN(token.secret, take(rest, kSecretBytes));
  if (!rest.empty() || !is_gateway_url(token.gateway))
    return {Errc::malformed, "a token is https://HOST[:PORT]#AUTHORITY.ID.SECRET"};
  return token;
}

Hash prove(ByteView secret, std::string_view request) {
  Hash proof{};
  const ByteView bytes = as_bytes(request);
  DUNLIN_CHECK(mbedtls_md_hmac(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), secret.data(),
                               secret.size(), bytes.data(), bytes.size(), proof.data()) == 0);
  return proof;
}

bool proves(const Hash& proof, ByteView secret, std::string_view request) {
  const Hash right = prove(secret, request);
  return mbedtls_ct_memcmp(proof.data(), right.data(), right.size()) == 0;
}

}  // namespace dunlin::security
