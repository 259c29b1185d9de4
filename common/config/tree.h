#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/config/table.h"
#include "dunlin/result.h"

namespace dunlin::config {

// A parsed configuration, free of the TOML library: only tree.cc includes it. Besides its value
// each node knows where it was written and which of its members were asked for.
struct Tree {
  struct Member;
  enum class Kind : std::uint8_t { table, array, text, integer, real, boolean, other };

  Kind kind = Kind::table;
  std::string file;        // or the name of the environment variable
  std::uint32_t line = 0;  // 0: not from a file
  std::string text;
  std::int64_t integer = 0;
  double real = 0;
  bool boolean = false;
  bool from_environment = false;   // a text that takes whatever type it is asked for
  bool optional = false;           // no mistake when nobody asks for it
  bool opened = false;             // somebody reads this table key by key
  std::vector<Member> members;     // of a table, in file order
  std::vector<Tree> items;         // of an array
  std::vector<std::string> known;  // keys of this table that were asked for

  Tree* find(std::string_view key);
  bool is_array_of_tables() const;
  std::string place() const { return line == 0 ? file : file + ":" + std::to_string(line); }
};

struct Tree::Member {
  std::string key;
  Tree value;
};

// `name` is what mistakes call the file. A syntax error is `config`: "file:line:column: what".
Result<Tree> parse_toml(std::string_view toml, const std::string& name);

// Later wins: tables merge key by key, arrays of tables append, all else is replaced.
void merge(Tree& onto, Tree&& later);

// Sets every DUNLIN_A__B=value as a.b, and DUNLIN_A=value as the top-level a if somebody asks for
// it.
void apply_overrides(Tree& root, const Environment& environment,
                     std::vector<std::string>& mistakes);

// Replaces ${VAR} and ${VAR:-default} in every text that stands in a file; $${ is a literal ${.
void substitute(Tree& tree, const Environment& environment, std::vector<std::string>& mistakes);

}  // namespace dunlin::config
