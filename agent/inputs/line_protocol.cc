#include "agent/inputs/line_protocol.h"

#include <string>

#include "agent/inputs/field_spec.h"
#include "agent/inputs/number.h"
#include "agent/inputs/text.h"

namespace dunlin::agent {

namespace {

class Parser {
 public:
  Parser(std::string_view line, Reading& out) : line_(line), out_(out) {}

  Result<void> run(TimeUnit precision) {
    DUNLIN_TRY(measurement());
    while (take(',')) DUNLIN_TRY(tag());
    if (!skip_blanks()) return fail("the fields are missing");
    do {
      DUNLIN_TRY(field());
    } while (take(','));
    if (done()) return {};
    if (!skip_blanks()) return fail("a blank or the end of the line should follow the value");
    return done() ? Result<void>() : timestamp(precision);
  }

 private:
  bool done() const { return at_ == line_.size(); }
  bool take(char c) {
    if (done() || line_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool skip_blanks() {
    const std::size_t start = at_;
    while (take(' ')) {
    }
    return at_ > start;
  }
  Error fail(std::string_view what) const {
    return {Errc::malformed, "column " + std::to_string(at_ + 1) + ": " + std::string(what)};
  }

  // Reads a name up to an unescaped byte of `stops`.
  Result<void> name(std::string_view stops, std::string_view what, std::string& out) {
    out.clear();
    while (!done() && stops.find(line_[at_]) == std::string_view::npos) {
      const bool escape = line_[at_] == '\\' && at_ + 1 < line_.size() &&
                          std::string_view(",= ").find(line_[at_ + 1]) != std::string_view::npos;
      if (escape) ++at_;
      out.push_back(line_[at_++]);
    }
    if (out.empty()) return fail(std::string(what) + " is missing");
    if (!valid_utf8(out)) return fail(std::string(what) + " is not UTF-8");
    return {};
  }

  Result<void> measurement() {
    DUNLIN_TRY(name(", ", "the measurement", buffer_));
    out_.stream = stream_name_from(buffer_);
    return {};
  }

  Result<void> key(std::string_view what) {
    DUNLIN_TRY(name(",= ", what, key_));
    if (!take('=')) return fail("an equals sign should follow the name " + excerpt(key_));
    return {};
  }

  Result<void> tag() {
    DUNLIN_TRY(key("the name of a tag"));
    DUNLIN_TRY(name(",= ", "the value of the tag " + excerpt(key_), buffer_));
    out_.add_text(key_, buffer_);
    return {};
  }

  Result<void> field() {
    DUNLIN_TRY(key("the name of a field"));
    if (take('"')) return text();
    const std::size_t end = std::min(line_.find_first_of(", ", at_), line_.size());
    const std::string_view value = line_.substr(at_, end - at_);
    if (value.empty()) return fail("the value of the field " + excerpt(key_) + " is missing");
    const std::string_view digits = value.substr(0, value.size() - 1);
    if (value.back() == 'i' || value.back() == 'u') {
      const auto integer = parse_integer(digits);
      const bool negative = digits.starts_with('-');
      if (!integer || (value.back() == 'u' && negative)) {
        return fail(excerpt(value) + " is not an integer that fits 64 bits with a sign");
      }
      out_.add_integer(key_, *integer);
    } else if (const auto real = parse_real(value)) {
      out_.add_real(key_, *real);
    } else if (const auto boolean = parse_boolean(value); boolean.ok()) {
      out_.add_boolean(key_, boolean.value());
    } else {
      return fail(excerpt(value) + " is not a finite number, boolean or text in quotes");
    }
    at_ = end;
    return {};
  }

  // After the opening quote.
  Result<void> text() {
    buffer_.clear();
    for (;;) {
      if (done()) return fail("the quote of the field " + excerpt(key_) + " is not closed");
      char c = line_[at_++];
      if (c == '"') break;
      if (c == '\\' && !done() && (line_[at_] == '"' || line_[at_] == '\\')) c = line_[at_++];
      buffer_.push_back(c);
    }
    if (!valid_utf8(buffer_)) return fail("the text of " + excerpt(key_) + " is not UTF-8");
    out_.add_text(key_, buffer_);
    return {};
  }

  Result<void> timestamp(TimeUnit precision) {
    std::string_view rest = line_.substr(at_);
    while (rest.ends_with(' ')) rest.remove_suffix(1);
    const auto ticks = parse_integer(rest);
    if (!ticks) return fail(excerpt(rest) + " is not a timestamp");
    const auto micros = micros_from({*ticks, 0}, precision);
    if (!micros.ok()) return fail(micros.error().context);
    out_.time_us = micros.value();
    return {};
  }

  std::string_view line_;
  Reading& out_;
  std::size_t at_ = 0;
  std::string key_, buffer_;
};

}  // namespace

Result<bool> parse_line(std::string_view line, TimeUnit precision, Reading& out) {
  out.clear();
  if (line.ends_with('\r')) line.remove_suffix(1);
  const std::size_t start = line.find_first_not_of(" \t");
  if (start == std::string_view::npos || line[start] == '#') return false;
  if (start > 0) {
    return Error{Errc::malformed, "column 1: a line must not start with a blank"};
  }
  DUNLIN_TRY(Parser(line, out).run(precision));
  return true;
}

}  // namespace dunlin::agent
