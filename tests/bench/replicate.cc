#include "tests/bench/replicate.h"

#include <algorithm>
#include <cmath>

namespace dunlin::bench {

std::string to_string(Mode mode) {
  switch (mode) {
    case Mode::online:
      return "online";
    case Mode::backlog:
      return "backlog";
    case Mode::hostile:
      return "hostile";
    case Mode::trickle:
      break;
  }
  return "trickle";
}

double percentile(std::vector<double>& values, double p) {
  std::sort(values.begin(), values.end());
  const auto rank =
      static_cast<std::size_t>(std::ceil(p / 100 * static_cast<double>(values.size())));
  return values[std::clamp<std::size_t>(rank, 1, values.size()) - 1];
}

}  // namespace dunlin::bench
