#include "common/base/utf8.h"

#include <cstddef>
#include <cstdint>

namespace dunlin {

bool is_utf8(std::string_view text) {
  const auto* p = reinterpret_cast<const std::uint8_t*>(text.data());
  const auto* const end = p + text.size();
  const auto continues = [&](std::ptrdiff_t i) { return p + i < end && (p[i] & 0xc0) == 0x80; };
  while (p < end) {
    const std::uint8_t lead = *p;
    if (lead < 0x80) {
      p += 1;
    } else if (lead >= 0xc2 && lead <= 0xdf && continues(1)) {
      p += 2;
    } else if (lead >= 0xe0 && lead <= 0xef && continues(1) && continues(2)) {
      if ((lead == 0xe0 && p[1] < 0xa0) || (lead == 0xed && p[1] > 0x9f)) return false;
      p += 3;
    } else if (lead >= 0xf0 && lead <= 0xf4 && continues(1) && continues(2) && continues(3)) {
      if ((lead == 0xf0 && p[1] < 0x90) || (lead == 0xf4 && p[1] > 0x8f)) return false;
      p += 4;
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace dunlin
