#include "common/config/table.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "common/config/nearest.h"
#include "common/config/table_impl.h"
#include "common/config/units.h"

namespace dunlin::config {

namespace {

constexpr std::string_view kKindNames[] = {
    "a table", "an array", "a text", "an integer", "a number", "true or false", "a date or time"};

std::string_view name_of(Tree::Kind kind) {
  return kKindNames[static_cast<std::size_t>(kind)];
}

// A number that `text` spells out completely.
template <typename T>
bool spells(const std::string& text, T& value) {
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && rest == end;
}

std::vector<std::string> split_commas(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const std::size_t cut = std::min(text.find(','), text.size());
    std::string_view part = text.substr(0, cut);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    if (!part.empty()) out.emplace_back(part);
    text.remove_prefix(std::min(cut + 1, text.size()));
  }
  return out;
}

std::string shown(double value) {
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
  return error == std::errc() ? std::string(buffer, end) : "?";
}

}  // namespace

Tree* Table::Impl::ask(std::string_view key) const {
  if (tree == nullptr) return nullptr;
  if (std::find(tree->known.begin(), tree->known.end(), key) == tree->known.end()) {
    tree->known.emplace_back(key);
  }
  return tree->find(key);
}

std::string Table::Impl::where(std::string_view key) const {
  const Tree* member = tree == nullptr ? nullptr : tree->find(key);
  const Tree* at = member != nullptr ? member : tree;
  // The root has no line of its own, nor has a table that was never written.
  std::string place = at == nullptr || at->file.empty() ? state->root.file : at->place();
  if (member == nullptr && tree == &state->root) place = state->root.file;
  return place + ": " + section + (section.empty() ? "" : " ") + std::string(key);
}

void Table::Impl::wrong(std::string_view key, std::string_view wanted, const Tree& found) const {
  std::string is(name_of(found.kind));
  if (found.kind == Tree::Kind::text) is = "\"" + found.text.substr(0, 64) + "\"";
  state->mistakes.push_back(where(key) + ": should be " + std::string(wanted) + ", not " + is);
}

Table::Table(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Table::~Table() = default;
Table::Table(Table&&) noexcept = default;
Table& Table::operator=(Table&&) noexcept = default;

std::string Table::text(std::string_view key, std::string fallback) {
  const Tree* value = impl_->ask(key);
  if (value == nullptr) return fallback;
  if (value->kind == Tree::Kind::text) return value->text;
  impl_->wrong(key, "a text", *value);
  return fallback;
}

std::string Table::required_text(std::string_view key) {
  const Tree* value = impl_->ask(key);
  if (value == nullptr || (value->kind == Tree::Kind::text && value->text.empty())) {
    mistake(key, value == nullptr ? "missing" : "must not be empty");
    return "";
  }
  return text(key);
}

std::int64_t Table::integer(std::string_view key, std::int64_t fallback, std::int64_t min,
                            std::int64_t max) {
  const Tree* value = impl_->ask(key);
  if (value == nullptr) return fallback;
  std::int64_t number = value->integer;
  const bool fits = value->kind == Tree::Kind::integer ||
                    (value->from_environment && spells(value->text, number));
  if (fits && number >= min && number <= max) return number;
  const std::string range = std::to_string(min) + " to " + std::to_string(max);
  if (fits) {
    mistake(key, "should be within " + range + ", not " + std::to_string(number));
  } else {
    impl_->wrong(key, "an integer within " + range, *value);
  }
  return fallback;
}

double Table::real(std::string_view key, double fallback, double min, double max) {
  const Tree* value = impl_->ask(key);
  if (value == nullptr) return fallback;
  double number =
      value->kind == Tree::Kind::integer ? static_cast<double>(value->integer) : value->real;
  const bool fits = value->kind == Tree::Kind::integer || value->kind == Tree::Kind::real ||
                    (value->from_environment && spells(value->text, number));
  if (fits && number >= min && number <= max) return number;
  const std::string range = shown(min) + " to " + shown(max);
  if (fits) {
    mistake(key, "should be within " + range + ", not " + shown(number));
  } else {
    impl_->wrong(key, "a number within " + range, *value);
  }
  return fallback;
}

bool Table::boolean(std::string_view key, bool fallback) {
  const Tree* value = impl_->ask(key);
  if (value == nullptr) return fallback;
  if (value->kind == Tree::Kind::boolean) return value->boolean;
  if (value->from_environment) {
    if (value->text == "true" || value->text == "1") return true;
    if (value->text == "false" || value->text == "0") return false;
  }
  impl_->wrong(key, "true or false", *value);
  return fallback;
}

std::chrono::microseconds Table::duration(std::string_view key,
                                          std::chrono::microseconds fallback) {
  const Tree* value = impl_->ask(key);
  if (value == nullptr) return fallback;
  if (value->kind == Tree::Kind::integer && value->integer == 0) return {};
  if (value->kind == Tree::Kind::text) {
    const auto parsed = parse_duration(value->text);
    if (parsed.ok()) return parsed.value();
  }
  impl_->wrong(key, "a duration such as \"200ms\", \"5s\", \"1.5h\" or \"2d\"", *value);
  return fallback;
}

std::uint64_t Table::size(std::string_view key, std::uint64_t fallback) {
  const Tree* value = impl_->ask(key);
  if (value == nullptr) return fallback;
  if (value->kind == Tree::Kind::integer && value->integer >= 0) {
    return static_cast<std::uint64_t>(value->integer);
  }
  if (value->kind == Tree::Kind::text) {
    const auto parsed = parse_size(value->text);
    if (parsed.ok()) return parsed.value();
  }
  impl_->wrong(key, "a size such as 4096, \"10kB\" or \"64MiB\"", *value);
  return fallback;
}

std::string Table::choice(std::string_view key, std::string fallback,
                          const std::vector<std::string>& allowed) {
  const Tree* value = impl_->ask(key);
  if (value == nullptr) return fallback;
  const bool is_text = value->kind == Tree::Kind::text;
  if (is_text && std::find(allowed.begin(), allowed.end(), value->text) != allowed.end()) {
    return value->text;
  }
  std::string list;
  for (const std::string& name : allowed) list += (list.empty() ? "" : ", ") + name;
  mistake(key, (is_text ? "unknown value \"" + value->text.substr(0, 64) + "\""
                        : "should be a text, not " + std::string(name_of(value->kind))) +
                   " (one of " + list + ")" + (is_text ? did_you_mean(value->text, allowed) : ""));
  return fallback;
}

std::vector<std::string> Table::texts(std::string_view key) {
  const Tree* value = impl_->ask(key);
  if (value == nullptr) return {};
  if (value->from_environment) return split_commas(value->text);
  std::vector<std::string> out;
  if (value->kind == Tree::Kind::array) {
    for (const Tree& item : value->items) {
      if (item.kind == Tree::Kind::text) {
        out.push_back(item.text);
      } else {
        impl_->wrong(key, "an array of texts", item);
      }
    }
  } else {
    impl_->wrong(key, "an array of texts", *value);
  }
  return out;
}

std::vector<std::string> Table::text_or_texts(std::string_view key) {
  const Tree* value = impl_->ask(key);
  const bool one = value != nullptr && value->kind == Tree::Kind::text && !value->from_environment;
  return one ? std::vector<std::string>{value->text} : texts(key);
}

bool Table::has(std::string_view key) const {
  return impl_->ask(key) != nullptr;
}

Table Table::table(std::string_view key) {
  Tree* value = impl_->ask(key);
  if (value != nullptr && value->optional) value = nullptr;
  if (value != nullptr && value->kind != Tree::Kind::table) {
    impl_->wrong(key, "a table", *value);
    value = nullptr;
  }
  return impl_->open(
      value, impl_->path.empty() ? std::string(key) : impl_->path + "." + std::string(key), false);
}

std::vector<Table> Table::tables(std::string_view key) {
  Tree* value = impl_->ask(key);
  std::vector<Table> out;
  if (value == nullptr || value->optional) return out;
  if (value->kind != Tree::Kind::array || !(value->items.empty() || value->is_array_of_tables())) {
    impl_->wrong(key, "an array of tables, [[" + std::string(key) + "]]", *value);
    return out;
  }
  for (Tree& item : value->items) {
    out.push_back(impl_->open(
        &item, impl_->path.empty() ? std::string(key) : impl_->path + "." + std::string(key),
        true));
  }
  return out;
}

std::vector<std::pair<std::string, std::string>> Table::text_pairs() {
  std::vector<std::pair<std::string, std::string>> out;
  if (impl_->tree == nullptr) return out;
  for (const auto& [key, value] : impl_->tree->members) {
    impl_->ask(key);
    if (value.kind == Tree::Kind::text) {
      out.emplace_back(key, value.text);
    } else {
      impl_->wrong(key, "a text", value);
    }
  }
  return out;
}

void Table::mistake(std::string_view key, const std::string& what) {
  impl_->state->mistakes.push_back(where(key) + ": " + what);
}

std::string Table::where(std::string_view key) const {
  return impl_->where(key);
}

}  // namespace dunlin::config
