#include "dunlin/overflow.h"

namespace dunlin {

std::string_view to_string(Overflow overflow) {
  constexpr std::string_view kNames[] = {"drop_oldest", "refuse_new", "drop_alternate"};
  return kNames[static_cast<std::size_t>(overflow)];
}

}  // namespace dunlin
