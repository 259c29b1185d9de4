#include "agent/inputs/text.h"

#include <algorithm>
#include <cstdint>

#include "common/log/limits.h"

namespace dunlin::agent {

namespace {

// The length of the well-formed sequence at the start of `text`, 0 if there is none (Unicode 15,
// table 3-7).
std::size_t sequence(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const auto continues = [&](std::size_t i, std::uint8_t low = 0x80, std::uint8_t high = 0xbf) {
    return i < text.size() && byte(i) >= low && byte(i) <= high;
  };
  const std::uint8_t first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return continues(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const std::uint8_t low = first == 0xe0 ? 0xa0 : 0x80;
    const std::uint8_t high = first == 0xed ? 0x9f : 0xbf;
    return continues(1, low, high) && continues(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const std::uint8_t low = first == 0xf0 ? 0x90 : 0x80;
    const std::uint8_t high = first == 0xf4 ? 0x8f : 0xbf;
    return continues(1, low, high) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

bool stream_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_.:/-").find(c) != std::string_view::npos;
}

}  // namespace

bool valid_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = sequence(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string excerpt(std::string_view text) {
  constexpr std::size_t kBytesMax = 60;
  std::string out(text.substr(0, kBytesMax));
  for (char& c : out) {
    if (c < ' ' || c > '~') c = '?';
  }
  return '"' + out + (text.size() > kBytesMax ? "\"..." : "\"");
}

std::string stream_name_from(std::string_view text) {
  std::string out(text.substr(0, kNameBytesMax));
  std::replace_if(
      out.begin(), out.end(), [](char c) { return !stream_name_byte(c); }, '_');
  return out;
}

}  // namespace dunlin::agent
