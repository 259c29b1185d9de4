#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "dunlin/bytes.h"

// Golden vectors: the bytes that released versions wrote. Each file holds one kind as
//
//   [name]
//   about = what the bytes say
//   hex = 8301...        (continued on indented lines)
//
// A test makes the same values in code and compares. With DUNLIN_UPDATE_VECTORS=1 it writes the
// file instead: for vectors that are new. What was released never changes.
namespace dunlin::test {

struct Golden {
  std::string name;
  std::string about;
  Bytes bytes;
};

inline std::string golden_path(std::string_view file) {
  return std::string(DUNLIN_SOURCE_DIR) + "/tests/vectors/" + std::string(file);
}

inline void write_golden(std::string_view file, std::string_view header,
                         const std::vector<Golden>& all) {
  constexpr std::size_t kDigitsPerLine = 96;
  std::ofstream out(golden_path(file));
  std::istringstream lines{std::string(header)};
  for (std::string line; std::getline(lines, line);)
    out << (line.empty() ? "#" : "# ") << line << "\n";
  for (const Golden& golden : all) {
    out << "\n[" << golden.name << "]\nabout = " << golden.about << "\nhex = ";
    const std::string hex = to_hex(golden.bytes);
    for (std::size_t i = 0; i < hex.size(); i += kDigitsPerLine) {
      out << (i == 0 ? "" : "\n  ") << hex.substr(i, kDigitsPerLine);
    }
    out << "\n";
  }
}

inline std::map<std::string, Bytes> read_golden(std::string_view file) {
  std::ifstream in(golden_path(file));
  EXPECT_TRUE(in.is_open()) << golden_path(file);
  std::map<std::string, std::string> hex;
  std::string name;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("[")) name = line.substr(1, line.find(']') - 1);
    if (line.starts_with("hex = ")) hex[name] = line.substr(6);
    if (line.starts_with("  ")) hex[name] += line.substr(2);
  }
  std::map<std::string, Bytes> found;
  for (const auto& [key, digits] : hex) {
    const Result<Bytes> bytes = from_hex(digits);
    EXPECT_TRUE(bytes.ok()) << file << " [" << key << "]";
    if (bytes.ok()) found[key] = *bytes;
  }
  return found;
}

// Compares with the file and returns what stands there, by name.
inline std::map<std::string, Bytes> expect_golden(std::string_view file, std::string_view header,
                                                  const std::vector<Golden>& all) {
  const char* update = std::getenv("DUNLIN_UPDATE_VECTORS");
  if (update != nullptr && std::string_view(update) == "1") write_golden(file, header, all);
  std::map<std::string, Bytes> stored = read_golden(file);
  EXPECT_EQ(stored.size(), all.size()) << file;
  for (const Golden& golden : all) {
    EXPECT_EQ(to_hex(stored[golden.name]), to_hex(golden.bytes))
        << file << " [" << golden.name << "]";
  }
  return stored;
}

// Calls check(mutated, bit) for every single flipped bit.
template <typename Check>
void for_each_flip(ByteView bytes, Check check) {
  Bytes mutated(bytes.begin(), bytes.end());
  for (std::size_t bit = 0; bit < mutated.size() * 8; ++bit) {
    const auto mask = static_cast<std::uint8_t>(1U << bit % 8);
    mutated[bit / 8] ^= mask;
    check(mutated, bit);
    mutated[bit / 8] ^= mask;
  }
}

}  // namespace dunlin::test
