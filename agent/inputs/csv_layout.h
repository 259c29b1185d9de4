#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/inputs/field_spec.h"
#include "agent/inputs/time_format.h"
#include "dunlin/result.h"

namespace dunlin::agent {

// A line of CSV as cells (RFC 4180, but a quoted cell ends on its line). The cells point into the
// line or, where quotes were doubled, into the row; both must stay.
class CsvRow {
 public:
  // `malformed` for a quote that is not closed or is followed by more than the delimiter.
  Result<void> split(std::string_view line, char delimiter);
  const std::vector<std::string_view>& cells() const { return cells_; }

 private:
  std::vector<std::string_view> cells_;
  std::string unquoted_;
};

// What the configuration asks of a CSV file.
struct CsvOptions {
  std::string file, stream, time;
  std::optional<TimeFormat> time_format;
  std::vector<std::pair<std::string, FieldSpec>> columns;  // empty: all of them, inferred
  char delimiter = ',';
  bool header = true;
  double speed = 0;
  bool repeat = false;
  bool shift_to_now = false;
  std::chrono::microseconds interval{1'000'000};
  std::size_t batch = 500;
};

// Which cell of a row is what.
struct CsvLayout {
  StreamSchema schema;
  std::vector<std::size_t> columns;       // the cell of each field
  std::vector<bool> inferred;             // whether the field's type was found out
  std::vector<std::size_t> time_columns;  // none, or those joined by a blank
  std::size_t cells = 0;                  // of every row
};

// Reads the head of the file: the header and up to 1000 rows, from which the types of columns that
// are not declared are inferred: int64, decimal (of the most digits seen, up to 9), double, else
// text. `not_found`, `io`, or `config` for columns that the file does not have.
Result<CsvLayout> read_csv_layout(const CsvOptions& options);

}  // namespace dunlin::agent
