#include "common/config/tree.h"

#include <toml++/toml.h>

#include <algorithm>

namespace dunlin::config {

namespace {

Tree from_toml(const toml::node& node, const std::string& name) {
  Tree tree;
  tree.file = name;
  tree.line = node.source().begin.line;
  if (const auto* table = node.as_table()) {
    tree.kind = Tree::Kind::table;
    std::vector<std::pair<toml::source_position, const toml::key*>> order;
    for (const auto& [key, value] : *table) order.emplace_back(key.source().begin, &key);
    std::sort(order.begin(), order.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    for (const auto& [position, key] : order) {
      Tree member = from_toml(*table->get(key->str()), name);
      // A key's own line is where people look; implicit tables have none of their own.
      if (!member.is_array_of_tables() || member.line == 0) member.line = position.line;
      tree.members.push_back({std::string(key->str()), std::move(member)});
    }
  } else if (const auto* array = node.as_array()) {
    tree.kind = Tree::Kind::array;
    for (const toml::node& item : *array) tree.items.push_back(from_toml(item, name));
  } else if (const auto* text = node.as_string()) {
    tree.kind = Tree::Kind::text;
    tree.text = text->get();
  } else if (const auto* integer = node.as_integer()) {
    tree.kind = Tree::Kind::integer;
    tree.integer = integer->get();
  } else if (const auto* real = node.as_floating_point()) {
    tree.kind = Tree::Kind::real;
    tree.real = real->get();
  } else if (const auto* boolean = node.as_boolean()) {
    tree.kind = Tree::Kind::boolean;
    tree.boolean = boolean->get();
  } else {
    tree.kind = Tree::Kind::other;
  }
  return tree;
}

}  // namespace

Tree* Tree::find(std::string_view key) {
  for (auto& [name, member] : members) {
    if (name == key) return &member;
  }
  return nullptr;
}

bool Tree::is_array_of_tables() const {
  return kind == Kind::array && !items.empty() &&
         std::all_of(items.begin(), items.end(),
                     [](const Tree& item) { return item.kind == Kind::table; });
}

Result<Tree> parse_toml(std::string_view toml, const std::string& name) {
  try {
    const toml::table table = toml::parse(toml, name);
    return from_toml(table, name);
  } catch (const toml::parse_error& error) {
    const toml::source_position at = error.source().begin;
    return {Errc::config, name + ":" + std::to_string(at.line) + ":" + std::to_string(at.column) +
                              ": " + std::string(error.description())};
  } catch (const std::exception& error) {
    return {Errc::config, name + ": " + error.what()};
  }
}

void merge(Tree& onto, Tree&& later) {
  for (auto& [key, member] : later.members) {
    Tree* mine = onto.find(key);
    if (mine == nullptr) {
      onto.members.push_back({key, std::move(member)});
    } else if (mine->kind == Tree::Kind::table && member.kind == Tree::Kind::table) {
      merge(*mine, std::move(member));
    } else if (mine->is_array_of_tables() && member.is_array_of_tables()) {
      std::move(member.items.begin(), member.items.end(), std::back_inserter(mine->items));
    } else {
      *mine = std::move(member);
    }
  }
}

}  // namespace dunlin::config
