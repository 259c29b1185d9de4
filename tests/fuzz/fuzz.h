#pragma once

#include "common/base/check.h"
#include "dunlin/bytes.h"

// What a target defines: it takes any bytes and aborts, by DUNLIN_CHECK or a sanitizer, when a
// promise of the code under test is broken. Inputs are independent of each other.
namespace dunlin::fuzz {
void take(ByteView input);
}  // namespace dunlin::fuzz
