#include "cli/answer.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/json_text.h"

namespace dunlin::cli {

namespace {

using nlohmann::json;
using security::Certificate;
using security::Membership;

// What the authority signs: nothing else of it begins like this.
Bytes statement(std::string_view text) {
  constexpr std::string_view kLabel = "dunlin/1 answer";
  Bytes bytes(kLabel.begin(), kLabel.end());
  bytes.insert(bytes.end(), text.begin(), text.end());
  return bytes;
}

Result<Signature> read_signature(const std::string& hex) {
  DUNLIN_ASSIGN(const Bytes bytes, from_hex(hex));
  Signature signature{};
  if (bytes.size() != signature.size()) return {Errc::malformed, "a signature has 64 bytes"};
  std::copy(bytes.begin(), bytes.end(), signature.begin());
  return signature;
}

}  // namespace

Result<std::string> write_answer(const Membership& membership, Signer& authority) {
  const std::string text = json{{"certificate", membership.certificate.to_pem()},
                                {"authority", membership.authority.to_pem()},
                                {"broker", membership.addresses.broker},
                                {"gateway", membership.addresses.gateway}}
                               .dump();
  DUNLIN_ASSIGN(const Signature signature, authority.sign(statement(text)));
  return json{{"answer", text}, {"signature", to_hex(signature)}}.dump() + "\n";
}

Result<Membership> read_answer(std::string_view body, const Certificate& authority,
                               ByteView public_key) {
  const json read = json::parse(body, nullptr, false);
  const std::string text = text_of(read, "answer");
  DUNLIN_ASSIGN(const Signature signature, read_signature(text_of(read, "signature")));
  DUNLIN_TRY(security::make_mbedtls_verifier()->verify(authority.public_key(), statement(text),
                                                       signature));
  const json signed_by_it = json::parse(text, nullptr, false);
  DUNLIN_ASSIGN(Certificate certificate,
                Certificate::from_pem(text_of(signed_by_it, "certificate")));
  DUNLIN_TRY(verify(certificate, authority, std::nullopt));
  if (!std::ranges::equal(certificate.public_key(), public_key))
    return {Errc::untrusted, "the certificate of another key"};
  // The authority's certificate may have got more time since.
  const Result<Certificate> newer = Certificate::from_pem(text_of(signed_by_it, "authority"));
  const bool takes = newer.ok() && succeeds(*newer, authority);
  return Membership{std::move(certificate),
                    takes ? *newer : authority,
                    {text_of(signed_by_it, "broker"), text_of(signed_by_it, "gateway")}};
}

}  // namespace dunlin::cli
