// A token that reads is written and reads the same.
#include "common/security/token.h"

#include "tests/fuzz/fuzz.h"

void dunlin::fuzz::take(ByteView input) {
  const Result<security::Token> token = security::read_token(as_text(input));
  if (!token.ok()) return;
  const Result<security::Token> again = security::read_token(security::write_token(*token));
  DUNLIN_CHECK(again.ok() && again->gateway == token->gateway && again->id == token->id);
  DUNLIN_CHECK(again->authority == token->authority && again->secret == token->secret);
}
