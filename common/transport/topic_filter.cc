#include "common/transport/topic_filter.h"

#include <optional>

namespace dunlin {
namespace {

constexpr std::size_t kTopicBytesMax = 65'535;

bool is_plausible(std::string_view text) {
  return !text.empty() && text.size() <= kTopicBytesMax &&
         text.find('\0') == std::string_view::npos;
}

// Walks the levels of a topic; levels may be empty ("a//b" has three).
class Levels {
 public:
  explicit Levels(std::string_view text) : rest_(text) {}

  std::optional<std::string_view> next() {
    if (!rest_) return std::nullopt;
    const std::size_t slash = rest_->find('/');
    const std::string_view level = rest_->substr(0, slash);
    if (slash == std::string_view::npos) {
      rest_.reset();
    } else {
      rest_->remove_prefix(slash + 1);
    }
    return level;
  }
  bool at_end() const { return !rest_; }

 private:
  std::optional<std::string_view> rest_;
};

}  // namespace

bool topic_matches(std::string_view filter, std::string_view topic) {
  if (topic.starts_with('$') && (filter.starts_with('+') || filter.starts_with('#'))) return false;
  Levels patterns(filter);
  Levels levels(topic);
  while (const auto pattern = patterns.next()) {
    if (*pattern == "#") return true;  // also when no level is left: "a/#" matches "a"
    const auto level = levels.next();
    if (!level || (*pattern != "+" && *pattern != *level)) return false;
  }
  return levels.at_end();
}

bool is_valid_topic(std::string_view topic) {
  return is_plausible(topic) && topic.find_first_of("+#") == std::string_view::npos;
}

bool is_valid_filter(std::string_view filter) {
  if (!is_plausible(filter)) return false;
  Levels levels(filter);
  while (const auto level = levels.next()) {
    if (*level == "#") return levels.at_end();
    if (*level != "+" && level->find_first_of("+#") != std::string_view::npos) return false;
  }
  return true;
}

}  // namespace dunlin
