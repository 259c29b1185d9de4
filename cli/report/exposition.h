#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "dunlin/result.h"

namespace dunlin::cli {

using Labels = std::map<std::string, std::string>;

struct Sample {
  std::string metric;
  Labels labels;
  double value = 0;
};

// A page of /metrics in Prometheus' text format, version 0.0.4; times that it names are left out.
// `malformed` with the number of the line.
Result<std::vector<Sample>> parse_exposition(std::string_view text);

}  // namespace dunlin::cli
