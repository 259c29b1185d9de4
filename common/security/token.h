#pragma once

#include <string>
#include <string_view>

#include "common/base/ids.h"
#include "common/base/sha256.h"

namespace dunlin::security {

// What makes one device a member, once. People carry it as one line of text,
// `https://HOST[:PORT]#AUTHORITY.ID.SECRET`, the three in hex: 16, 8 and 16 bytes.
struct Token {
  std::string gateway;  // https://HOST[:PORT], where to ask
  NodeId authority;     // of the fleet: whom to believe there
  std::string id;       // 16 hex digits; no secret
  Bytes secret;         // 16 bytes
};

// Random id and secret.
Token make_token(std::string gateway, const NodeId& authority);
std::string write_token(const Token& token);
Result<Token> read_token(std::string_view text);
// A scheme, as in "https://", HOST[:PORT] in printable ASCII, and nothing behind it.
bool is_url(std::string_view text, std::string_view scheme);
bool is_gateway_url(std::string_view text);  // https://HOST[:PORT]

// That who makes this request has the token, without showing it: HMAC-SHA-256 of the request's text
// under the secret. Whoever passes it on can put no other key in its place.
Hash prove(ByteView secret, std::string_view request);
bool proves(const Hash& proof, ByteView secret, std::string_view request);  // in constant time

}  // namespace dunlin::security
