#include "cli/report/exposition.h"

#include <charconv>
#include <limits>
#include <optional>

namespace dunlin::cli {

namespace {

bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == ':';
}

class Line {
 public:
  explicit Line(std::string_view rest) : rest_(rest) {}

  std::optional<Sample> sample() {
    Sample sample{name(), {}, 0};
    if (sample.metric.empty()) return std::nullopt;
    if (take('{')) {
      while (!take('}')) {
        std::string label = name();
        std::optional<std::string> value;
        if (label.empty() || !take('=') || !(value = quoted())) return std::nullopt;
        if (!sample.labels.emplace(std::move(label), *std::move(value)).second) return std::nullopt;
        if (!take(',') && !rest_.starts_with('}')) return std::nullopt;
      }
    }
    if (!take(' ')) return std::nullopt;
    const std::string_view number = rest_.substr(0, rest_.find(' '));
    if (!read(number, sample.value)) return std::nullopt;
    return sample;
  }

 private:
  bool take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  std::string name() {
    std::size_t size = 0;
    while (size < rest_.size() && is_name(rest_[size])) ++size;
    std::string out(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return out;
  }
  std::optional<std::string> quoted() {
    if (!take('"')) return std::nullopt;
    std::string out;
    while (!rest_.empty()) {
      const char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"') return out;
      if (c != '\\') {
        out += c;
        continue;
      }
      if (rest_.empty()) return std::nullopt;
      out += rest_.front() == 'n' ? '\n' : rest_.front();
      rest_.remove_prefix(1);
    }
    return std::nullopt;
  }
  static bool read(std::string_view text, double& value) {
    if (text == "+Inf" || text == "-Inf") {
      value = std::numeric_limits<double>::infinity() * (text[0] == '-' ? -1 : 1);
      return true;
    }
    if (text == "NaN" || text == "Nan") {
      value = std::numeric_limits<double>::quiet_NaN();
      return true;
    }
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size();
  }

  std::string_view rest_;
};

}  // namespace

Result<std::vector<Sample>> parse_exposition(std::string_view text) {
  std::vector<Sample> samples;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.starts_with('#')) continue;
    std::optional<Sample> sample = Line(line).sample();
    if (!sample) return {Errc::malformed, "metrics, line " + std::to_string(number)};
    samples.push_back(*std::move(sample));
  }
  return samples;
}

}  // namespace dunlin::cli
