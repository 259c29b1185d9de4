#pragma once

#include "common/security/token.h"

namespace dunlin::fuzz {

// Of the fleet that the target `enrolment` asks; seeds know it, too.
inline security::Token open_token() {
  return {"https://gate:7443", {}, "0123456789abcdef", Bytes(16, 7)};
}

}  // namespace dunlin::fuzz
