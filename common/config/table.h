#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dunlin/result.h"

namespace dunlin::config {

struct Tree;

// Names and values of environment variables.
using Environment = std::vector<std::pair<std::string, std::string>>;

// A TOML table that is read strictly: every key is asked for by name and type, and what nobody
// asked for is a mistake. All mistakes are gathered, so that one `check` shows them all, each as
// `file:line: [section] key: what; did you mean "x"?`, unknown keys with the nearest known one.
//
// A table shares the document's state and may outlive it. One document and its tables belong to one
// thread at a time.
class Table {
 public:
  ~Table();
  Table(Table&&) noexcept;
  Table& operator=(Table&&) noexcept;

  // Each returns the value, or `fallback` when the key is absent or wrong (wrong ones are
  // recorded).
  std::string text(std::string_view key, std::string fallback = "");
  std::string required_text(std::string_view key);  // absent or empty is a mistake
  std::int64_t integer(std::string_view key, std::int64_t fallback, std::int64_t min,
                       std::int64_t max);
  double real(std::string_view key, double fallback, double min, double max);
  bool boolean(std::string_view key, bool fallback);
  // "200ms", "5s", "1.5h", "2d"; a bare number has no unit and is refused, except 0.
  std::chrono::microseconds duration(std::string_view key, std::chrono::microseconds fallback);
  std::uint64_t size(std::string_view key, std::uint64_t fallback);  // "64MiB", "10kB", 4096
  std::string choice(std::string_view key, std::string fallback,
                     const std::vector<std::string>& allowed);
  std::vector<std::string> texts(std::string_view key);  // in an override: separated by commas
  std::vector<std::string> text_or_texts(std::string_view key);  // the same; or one text
  bool has(std::string_view key) const;                          // the key counts as asked for

  Table table(std::string_view key);                // empty when absent
  std::vector<Table> tables(std::string_view key);  // [[key]]
  // The keys of a free-form table (e.g. a column mapping), in file order, each with its text value.
  std::vector<std::pair<std::string, std::string>> text_pairs();

  // Records a mistake about a key of this table in the caller's words.
  void mistake(std::string_view key, const std::string& what);
  // Where a key stands: "agent.toml:12: [[input]] stream". A key from the environment stands at the
  // name of its variable, an absent one at its table.
  std::string where(std::string_view key) const;

 private:
  friend class Document;
  struct Impl;
  explicit Table(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// A configuration file with its conf.d/*.toml beside it (in name order, later wins per key, arrays
// of tables append), ${VAR} and ${VAR:-default} in texts ($${ is a literal ${; a ${VAR} that is
// neither set nor has a default is a mistake), and overrides from the environment:
// DUNLIN_BROKER__URL sets broker.url, DUNLIN_INPUT__0__FILE sets file of the first [[input]],
// DUNLIN_CELLS the top-level cells. Overrides take the type they are asked for. A single-level
// variable that names no known key is ignored, since other programs use the prefix too; a nested
// one is a mistake.
class Document {
 public:
  struct Source {
    std::string path;
    Environment environment;
  };
  // Fails with `not_found`, `io` or, for a syntax error, `config` ("file:line:column: what").
  static Result<Document> load(const Source& source);
  static Result<Document> parse(std::string_view toml, const std::string& name,
                                const Environment& environment);
  ~Document();
  Document(Document&&) noexcept;
  Document& operator=(Document&&) noexcept;

  Table& root();
  // Everything wrong so far, unknown keys included; call after all keys have been asked for.
  std::vector<std::string> mistakes();

 private:
  struct Impl;
  explicit Document(std::unique_ptr<Impl> impl);
  static Document from_tree(Tree tree, const Environment& environment);
  std::unique_ptr<Impl> impl_;
};

Environment process_environment();

}  // namespace dunlin::config
