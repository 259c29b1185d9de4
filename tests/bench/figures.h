#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace dunlin::bench {

// One line of a benchmark's output, as JSON: keys that do not apply are left out.
struct Figure {
  std::string figure;
  double value = 0;
  std::string unit;
  std::string system;  // "dunlin", "pipe"
  std::string mode = {};
  std::uint64_t batch = 0;
  std::string dataset = {};
  std::string side = {};  // "agent", "gateway", where both have one
  std::optional<double> bound = {};
  bool higher_is_better = false;
  std::string profile = {};  // of a device
  std::string note = {};     // what the value assumes
};
void print(const Figure& figure);

}  // namespace dunlin::bench
