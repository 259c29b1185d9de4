#include <algorithm>
#include <cctype>
#include <charconv>

#include "common/config/table.h"
#include "common/config/tree.h"

extern char** environ;  // NOLINT: POSIX declares it nowhere

namespace dunlin::config {

namespace {

// "BROKER__PASSWORD_FILE" -> {"broker", "password_file"}; empty when a part is empty.
std::vector<std::string> path_of(std::string_view name) {
  std::vector<std::string> path;
  for (;;) {
    const std::size_t cut = name.find("__");
    std::string part(name.substr(0, cut));
    if (part.empty()) return {};
    std::transform(part.begin(), part.end(), part.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    path.push_back(std::move(part));
    if (cut == std::string_view::npos) return path;
    name.remove_prefix(cut + 2);
  }
}

// Steps down one level, making tables on the way; a number picks an element of an array of tables.
Tree* step(Tree& tree, const std::string& key, const std::string& variable) {
  if (tree.kind == Tree::Kind::array) {
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), index);
    const bool number = error == std::errc() && end == key.data() + key.size();
    return number && index < tree.items.size() ? &tree.items[index] : nullptr;
  }
  if (tree.kind != Tree::Kind::table) return nullptr;
  if (Tree* member = tree.find(key)) return member;
  Tree made;
  made.file = variable;
  tree.members.push_back({key, std::move(made)});
  return &tree.members.back().value;
}

const std::string* lookup(const Environment& environment, std::string_view name) {
  for (const auto& [key, value] : environment) {
    if (key == name) return &value;
  }
  return nullptr;
}

// One "${...}" body, without the braces.
Result<std::string> expand(std::string_view body, const Environment& environment) {
  const std::size_t cut = body.find(":-");
  const std::string name(body.substr(0, cut));
  const std::string* value = lookup(environment, name);
  if (value != nullptr && (!value->empty() || cut == std::string_view::npos)) return *value;
  if (cut != std::string_view::npos) return std::string(body.substr(cut + 2));
  return Error{Errc::config, "${" + name + "} is not set in the environment"};
}

Result<std::string> expand_all(std::string_view text, const Environment& environment) {
  std::string out;
  for (;;) {
    const std::size_t at = text.find("${");
    if (at == std::string_view::npos) return out.append(text);
    if (at > 0 && text[at - 1] == '$') {
      out.append(text.substr(0, at)).append("{");
      text.remove_prefix(at + 2);
      continue;
    }
    const std::size_t end = text.find('}', at);
    if (end == std::string_view::npos) return Error{Errc::config, "${ without its }"};
    out.append(text.substr(0, at));
    DUNLIN_ASSIGN(const std::string value, expand(text.substr(at + 2, end - at - 2), environment));
    out.append(value);
    text.remove_prefix(end + 1);
  }
}

void substitute(Tree& tree, const std::string& section, const std::string& key,
                const Environment& environment, std::vector<std::string>& mistakes) {
  if (tree.kind == Tree::Kind::text) {
    if (tree.from_environment) return;
    Result<std::string> text = expand_all(tree.text, environment);
    if (text.ok()) {
      tree.text = std::move(text).value();
    } else {
      mistakes.push_back(tree.place() + ": " + (section.empty() ? "" : "[" + section + "] ") + key +
                         ": " + text.error().context);
    }
  }
  const std::string inside = section.empty() || key.empty() ? section + key : section + "." + key;
  for (auto& [name, member] : tree.members) {
    substitute(member, inside, name, environment, mistakes);
  }
  for (Tree& item : tree.items) substitute(item, section, key, environment, mistakes);
}

}  // namespace

void apply_overrides(Tree& root, const Environment& environment,
                     std::vector<std::string>& mistakes) {
  constexpr std::string_view kPrefix = "DUNLIN_";
  struct Override {
    std::string variable;
    std::string value;
    std::vector<std::string> path;
  };
  std::vector<Override> overrides;
  for (const auto& [variable, value] : environment) {
    if (!variable.starts_with(kPrefix)) continue;
    auto path = path_of(std::string_view(variable).substr(kPrefix.size()));
    if (!path.empty()) overrides.push_back({variable, value, std::move(path)});
  }
  // Deep ones first: a stray DUNLIN_LOG=1 must not stand in the way of DUNLIN_LOG__LEVEL.
  std::stable_partition(overrides.begin(), overrides.end(),
                        [](const Override& entry) { return entry.path.size() > 1; });
  for (const auto& [variable, value, path] : overrides) {
    Tree* node = &root;
    for (const std::string& key : path) {
      if (node != nullptr) node = step(*node, key, variable);
    }
    const bool fits =
        node != nullptr && !node->is_array_of_tables() &&
        (node->kind != Tree::Kind::table || (node->members.empty() && node->file == variable));
    if (!fits) {
      if (path.size() > 1) mistakes.push_back(variable + ": there is no such value to set");
      continue;
    }
    *node = Tree{};
    node->kind = Tree::Kind::text;
    node->file = variable;
    node->text = value;
    node->from_environment = true;
    node->optional = path.size() == 1;
  }
}

void substitute(Tree& tree, const Environment& environment, std::vector<std::string>& mistakes) {
  substitute(tree, "", "", environment, mistakes);
}

Environment process_environment() {
  Environment out;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::size_t cut = text.find('=');
    if (cut == std::string_view::npos) continue;
    out.emplace_back(text.substr(0, cut), text.substr(cut + 1));
  }
  return out;
}

}  // namespace dunlin::config
