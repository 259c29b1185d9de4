// A bundle that reads is written and reads the same; so do addresses.
#include "common/security/bundle.h"

#include "tests/fuzz/fuzz.h"

void dunlin::fuzz::take(ByteView input) {
  const security::Addresses addresses = security::read_addresses(as_text(input));
  DUNLIN_CHECK(security::read_addresses(security::write_addresses(addresses)) == addresses);
  const Result<security::Bundle> bundle = security::read_bundle(as_text(input));
  if (!bundle.ok()) return;
  const security::Membership& read = bundle->membership;
  DUNLIN_CHECK(read.addresses == addresses);
  DUNLIN_CHECK(verify(read.certificate, read.authority, std::nullopt).ok());
  const Result<security::Bundle> again = security::read_bundle(security::write_bundle(*bundle));
  DUNLIN_CHECK(again.ok() && again->key_pem == bundle->key_pem);
  DUNLIN_CHECK(again->membership.certificate.der() == read.certificate.der());
  DUNLIN_CHECK(again->membership.authority.der() == read.authority.der());
  DUNLIN_CHECK(again->membership.addresses == addresses);
}
