#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/config/table.h"
#include "common/config/tree.h"

namespace dunlin::config {

// What a document and all tables opened from it share; tables may outlive the document.
struct State {
  Tree root;
  std::vector<std::string> mistakes;
};

struct Table::Impl {
  std::shared_ptr<State> state;
  Tree* tree = nullptr;  // into state->root; null when the table was not written
  std::string path;      // "input.columns"; "" for the root
  std::string section;   // the same as it is shown: "[input.columns]", "[[input]]"

  // The member named `key`, or null; from here on `key` is a known one.
  Tree* ask(std::string_view key) const;
  std::string where(std::string_view key) const;
  void wrong(std::string_view key, std::string_view wanted, const Tree& found) const;

  Table open(Tree* member, std::string member_path, bool in_array) const {
    if (member != nullptr) member->opened = true;
    auto impl = std::make_unique<Impl>();
    impl->state = state;
    impl->tree = member;
    impl->section = in_array ? "[[" + member_path + "]]" : "[" + member_path + "]";
    impl->path = std::move(member_path);
    return Table(std::move(impl));
  }
};

}  // namespace dunlin::config
