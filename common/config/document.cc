#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "common/config/nearest.h"
#include "common/config/table_impl.h"

namespace dunlin::config {

namespace {

Result<Tree> parse_file(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    return Error{Errc::not_found, path + ": there is no such file"};
  }
  std::ifstream file(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file.good() && !file.eof()) return Error{Errc::io, path + ": cannot be read"};
  return parse_toml(text, path);
}

// conf.d/*.toml beside the main file, by name.
std::vector<std::string> drop_ins(const std::string& path) {
  std::vector<std::string> out;
  std::error_code error;
  const auto folder = std::filesystem::path(path).parent_path() / "conf.d";
  std::filesystem::directory_iterator entry(folder, error);
  while (!error && entry != std::filesystem::directory_iterator()) {
    if (entry->path().extension() == ".toml") out.push_back(entry->path().string());
    entry.increment(error);
  }
  std::sort(out.begin(), out.end());
  return out;
}

// A table nobody opened is one unknown key in its parent; opened ones are searched.
void find_unknown(const Tree& table, const std::string& path, bool in_array,
                  std::vector<std::string>& mistakes) {
  for (const auto& [key, member] : table.members) {
    const std::string member_path = path.empty() ? key : path + "." + key;
    const bool known = std::find(table.known.begin(), table.known.end(), key) != table.known.end();
    if (!known) {
      if (member.optional) continue;
      std::string section = path;
      if (!path.empty()) section = in_array ? "[[" + path + "]] " : "[" + path + "] ";
      mistakes.push_back(member.place() + ": " + section + key + ": unknown key" +
                         did_you_mean(key, table.known));
    } else if (member.opened) {
      find_unknown(member, member_path, false, mistakes);
    } else {
      for (const Tree& item : member.items) {
        if (item.opened) find_unknown(item, member_path, true, mistakes);
      }
    }
  }
}

}  // namespace

struct Document::Impl {
  std::shared_ptr<State> state;
  Table root;
};

Document::Document(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Document::~Document() = default;
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;

Document Document::from_tree(Tree tree, const Environment& environment) {
  auto state = std::make_shared<State>();
  state->root = std::move(tree);
  substitute(state->root, environment, state->mistakes);
  apply_overrides(state->root, environment, state->mistakes);
  auto root = std::make_unique<Table::Impl>();
  root->state = state;
  root->tree = &state->root;
  return Document(std::make_unique<Impl>(Impl{state, Table(std::move(root))}));
}

Result<Document> Document::load(const Source& source) {
  DUNLIN_ASSIGN(Tree tree, parse_file(source.path));
  for (const std::string& path : drop_ins(source.path)) {
    DUNLIN_ASSIGN(Tree later, parse_file(path));
    merge(tree, std::move(later));
  }
  return from_tree(std::move(tree), source.environment);
}

Result<Document> Document::parse(std::string_view toml, const std::string& name,
                                 const Environment& environment) {
  DUNLIN_ASSIGN(Tree tree, parse_toml(toml, name));
  return from_tree(std::move(tree), environment);
}

Table& Document::root() {
  return impl_->root;
}

std::vector<std::string> Document::mistakes() {
  std::vector<std::string> all = impl_->state->mistakes;
  find_unknown(impl_->state->root, "", false, all);
  return all;
}

}  // namespace dunlin::config
