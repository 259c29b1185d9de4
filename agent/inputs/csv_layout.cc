#include "agent/inputs/csv_layout.h"

#include <algorithm>
#include <fstream>

#include "agent/inputs/lines.h"
#include "agent/inputs/number.h"
#include "agent/inputs/text.h"
#include "common/config/nearest.h"
#include "common/log/limits.h"

namespace dunlin::agent {

namespace {

constexpr std::size_t kSampleRowsMax = 1000;
constexpr std::size_t kSampleBytesMax = 1 << 20;
constexpr std::uint8_t kInferredDecimalsMax = 9;  // more are those of a printed double

// What the values of one column have in common.
struct Inference {
  bool any = false, decimal = true, real = true;
  std::uint8_t decimals = 0;

  void see(std::string_view text) {
    if (is_missing(text)) return;
    any = true;
    const auto number = parse_decimal(text);
    if (number) decimals = std::max(decimals, number->decimals);
    if (!number) decimal = false;
    if (!number && !parse_real(text)) real = false;
  }
  void apply(Field& field) const {
    field.type = FieldType::text;
    if (!any || real) field.type = FieldType::float64;
    if (any && decimal && decimals <= kInferredDecimalsMax) {
      field.type = decimals == 0 ? FieldType::int64 : FieldType::decimal;
      field.decimals = decimals;
    }
  }
};

struct Head {
  std::vector<std::string> names;
  std::vector<Inference> columns;
};

Result<Head> read_head(const CsvOptions& options) {
  std::ifstream file(options.file, std::ios::binary);
  if (!file) return Error{Errc::not_found, options.file + ": cannot be opened"};
  Head head;
  std::size_t rows = 0;
  CsvRow row;
  LineSplitter lines(kSampleBytesMax);
  const LineSplitter::OnLine on_line = [&](std::uint64_t, Result<std::string_view> line) {
    if (!line.ok() || rows > kSampleRowsMax || !row.split(line.value(), options.delimiter).ok()) {
      return;
    }
    if (row.cells().size() == 1 && row.cells()[0].empty()) return;
    if (rows++ == 0) {
      for (std::size_t i = 0; i < row.cells().size(); ++i) {
        const std::string number = std::to_string(i + 1);
        const bool named = options.header && !row.cells()[i].empty();
        head.names.push_back(named ? std::string(row.cells()[i]) : "column_" + number);
      }
      head.columns.resize(head.names.size());
      if (options.header) return;
    }
    if (row.cells().size() != head.names.size()) return;
    for (std::size_t i = 0; i < head.columns.size(); ++i) head.columns[i].see(row.cells()[i]);
  };
  std::string buffer(kSampleBytesMax / 16, '\0');
  std::size_t bytes = 0;
  while (file && rows <= kSampleRowsMax && bytes < kSampleBytesMax) {
    file.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    const auto n = static_cast<std::size_t>(file.gcount());
    bytes += n;
    lines.feed(std::string_view(buffer).substr(0, n), on_line);
  }
  if (file.eof()) lines.finish(on_line);
  if (file.bad()) return Error{Errc::io, options.file + ": cannot be read"};
  if (head.names.empty()) return Error{Errc::truncated, options.file + ": there is no row"};
  if (options.header && head.names[0].starts_with("\xef\xbb\xbf")) head.names[0].erase(0, 3);
  return head;
}

Result<std::size_t> column_named(const Head& head, const std::string& name,
                                 const CsvOptions& options) {
  const auto found = std::find(head.names.begin(), head.names.end(), name);
  if (found != head.names.end()) return static_cast<std::size_t>(found - head.names.begin());
  return Error{Errc::config, options.file + " has no column " + excerpt(name) +
                                 config::did_you_mean(name, head.names)};
}

// "time" is a column of that very name or several names with blanks between.
Result<std::vector<std::size_t>> time_columns(const Head& head, const CsvOptions& options) {
  std::vector<std::size_t> out;
  if (options.time.empty()) return out;
  const auto whole = std::find(head.names.begin(), head.names.end(), options.time);
  if (whole != head.names.end()) {
    out.push_back(static_cast<std::size_t>(whole - head.names.begin()));
    return out;
  }
  std::string_view rest = options.time;
  while (!rest.empty()) {
    const std::size_t cut = std::min(rest.find(' '), rest.size());
    if (cut > 0) {
      DUNLIN_ASSIGN(const std::size_t column,
                    column_named(head, std::string(rest.substr(0, cut)), options));
      out.push_back(column);
    }
    rest.remove_prefix(std::min(cut + 1, rest.size()));
  }
  return out;
}

}  // namespace

Result<void> CsvRow::split(std::string_view line, char delimiter) {
  cells_.clear();
  unquoted_.clear();
  unquoted_.reserve(line.size());  // so that views into it stay
  for (;;) {
    if (!line.starts_with('"')) {
      const std::size_t cut = line.find(delimiter);
      cells_.push_back(line.substr(0, cut));
      if (cut == std::string_view::npos) return {};
      line.remove_prefix(cut + 1);
      continue;
    }
    const std::size_t start = unquoted_.size();
    std::size_t at = 1;
    for (;; ++at) {
      if (at >= line.size()) return {Errc::malformed, "a quote that is not closed"};
      if (line[at] == '"' && (at + 1 >= line.size() || line[at + 1] != '"')) break;
      if (line[at] == '"') ++at;
      unquoted_.push_back(line[at]);
    }
    cells_.push_back(std::string_view(unquoted_).substr(start));
    line.remove_prefix(at + 1);
    if (line.empty()) return {};
    if (line.front() != delimiter) return {Errc::malformed, "more text after a closing quote"};
    line.remove_prefix(1);
  }
}

Result<CsvLayout> read_csv_layout(const CsvOptions& options) {
  DUNLIN_ASSIGN(const Head head, read_head(options));
  CsvLayout layout;
  layout.schema.name = options.stream;
  layout.cells = head.names.size();
  DUNLIN_ASSIGN(layout.time_columns, time_columns(head, options));

  const auto add = [&](std::size_t column, FieldSpec spec) -> Result<void> {
    DUNLIN_TRY(check_field_name(spec.field.name));
    for (const Field& field : layout.schema.fields) {
      if (field.name != spec.field.name) continue;
      return {Errc::config, options.file + ": two columns would be the field " +
                                excerpt(field.name) + "; name them in [input.columns]"};
    }
    if (spec.inferred) head.columns[column].apply(spec.field);
    layout.columns.push_back(column);
    layout.inferred.push_back(spec.inferred);
    layout.schema.fields.push_back(std::move(spec.field));
    return {};
  };
  for (const auto& [name, spec] : options.columns) {
    DUNLIN_ASSIGN(const std::size_t column, column_named(head, name, options));
    DUNLIN_TRY(add(column, spec));
  }
  if (options.columns.empty()) {
    const auto& times = layout.time_columns;
    for (std::size_t i = 0; i < head.names.size(); ++i) {
      if (std::find(times.begin(), times.end(), i) != times.end()) continue;
      FieldSpec spec;
      spec.field.name = head.names[i];
      spec.inferred = true;
      DUNLIN_TRY(add(i, std::move(spec)));
    }
  }
  const std::size_t fields = layout.schema.fields.size();
  if (fields == 0 || fields > kFieldsMax) {
    return Error{Errc::config, options.file + ": " + std::to_string(fields) +
                                   " columns to read; a stream has 1 to 256 fields"};
  }
  return layout;
}

}  // namespace dunlin::agent
