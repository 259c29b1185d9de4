#pragma once

#include <string>
#include <string_view>

namespace dunlin::agent {

// Well-formed UTF-8 without overlong forms, surrogates or anything above U+10FFFF.
bool valid_utf8(std::string_view text);

// `text` in double quotes for a message: at most 60 bytes, what is not printable ASCII as '?'.
std::string excerpt(std::string_view text);

// A stream name out of foreign text: bytes outside [A-Za-z0-9_.:/-] become '_', at most 128 bytes.
// "" for an empty text.
std::string stream_name_from(std::string_view text);

}  // namespace dunlin::agent
