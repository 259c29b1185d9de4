#pragma once

#include <string>

#include "common/storage/query.h"

namespace dunlin::storage {

// A result for people: aligned columns under their names, numbers to the right, NULL blank. Control
// characters in texts are shown as escapes, so that no reading can steer a terminal. A last line
// says so when rows were left out.
std::string format_text(const Table& table);

// RFC 4180 with a header line. NULL is an empty field, an empty text is "". Blobs are hex text.
std::string format_csv(const Table& table);

// {"columns":[...],"rows":[[...],...],"truncated":bool}. NULL and non-finite numbers are null,
// blobs are hex text, bytes that are not UTF-8 become U+FFFD.
std::string format_json(const Table& table);

}  // namespace dunlin::storage
