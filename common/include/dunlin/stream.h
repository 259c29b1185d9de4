#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dunlin/result.h"

namespace dunlin {

// The type of a field. `decimal` values are int64 mantissas: 21.53 with two decimals is 2153.
// They are exact from the appending edge to the last replica; nothing between rounds.
enum class FieldType : std::uint8_t { float64 = 0, int64 = 1, decimal = 2, boolean = 3, text = 4 };

std::string_view to_string(FieldType type);  // "double", "int64", "decimal", "bool", "text"
Result<FieldType> field_type_from(std::string_view name);

struct Field {
  std::string name;
  FieldType type = FieldType::float64;
  std::string unit;           // free text, "" when unknown; UCUM codes preferred ("Cel", "%", "V")
  std::uint8_t decimals = 0;  // digits after the point, `decimal` only; at most 18

  bool operator==(const Field&) const = default;
};

// What a stream's readings look like. Fields keep their position for ever; a new version of a
// stream may append fields and nothing else.
struct StreamSchema {
  std::string name;  // 1 to 128 bytes of [A-Za-z0-9_.:/-]; SQL quotes what is not an identifier
  std::vector<Field> fields;  // 1 to 256

  bool operator==(const StreamSchema&) const = default;
};

// One value of one field. A plain 16-byte view: text lives in the arena of the Rows it came from.
struct Cell {
  enum class Kind : std::uint8_t { missing = 0, integer = 1, real = 2, boolean = 3, text = 4 };

  Kind kind = Kind::missing;
  std::uint32_t text_size = 0;
  union {
    std::int64_t integer = 0;  // int64 values and decimal mantissas
    double real;
    bool boolean;
    std::uint64_t text_offset;
  };
};

// A batch of readings of one stream: row-major cells, a time per row, one arena for text.
// Append with begin_row(), then exactly fields() add_*() calls.
//
//   Rows rows(2);
//   rows.begin_row(time_us); rows.add_integer(2153); rows.add_missing();
class Rows {
 public:
  Rows() = default;
  explicit Rows(std::size_t fields) : fields_(fields) {}

  std::size_t fields() const { return fields_; }
  std::size_t size() const { return times_.size(); }
  bool empty() const { return times_.empty(); }
  void clear() { times_.clear(), cells_.clear(), text_.clear(); }
  void reserve(std::size_t rows) { times_.reserve(rows), cells_.reserve(rows * fields_); }

  // Microseconds since 1970 UTC, or since boot for readings of a device that does not know the
  // time.
  void begin_row(std::int64_t time_us) { times_.push_back(time_us); }
  void add_missing() { cells_.emplace_back(); }
  void add_integer(std::int64_t value);
  void add_real(double value);
  void add_boolean(bool value);
  void add_text(std::string_view value);
  // Copies one row of another batch with the same number of fields.
  void add_row(const Rows& other, std::size_t row);
  // Copies `cell` of `other` (its text moves into this arena).
  void add_cell(const Rows& other, const Cell& cell);

  // For decoders, which fill whole columns: `rows` rows in all, new ones at time 0 with every cell
  // missing. The set functions overwrite what stands there; a text overwritten stays in the arena.
  void resize(std::size_t rows) { times_.resize(rows), cells_.resize(rows * fields_); }
  void set_time(std::size_t row, std::int64_t time_us) { times_[row] = time_us; }
  void set_integer(std::size_t row, std::size_t field, std::int64_t value);
  void set_real(std::size_t row, std::size_t field, double value);
  void set_boolean(std::size_t row, std::size_t field, bool value);
  void set_text(std::size_t row, std::size_t field, std::string_view value);

  std::int64_t time(std::size_t row) const { return times_[row]; }
  const Cell& cell(std::size_t row, std::size_t field) const {
    return cells_[row * fields_ + field];
  }
  std::string_view text(const Cell& cell) const {
    return std::string_view(text_).substr(static_cast<std::size_t>(cell.text_offset),
                                          cell.text_size);
  }
  const std::vector<std::int64_t>& times() const { return times_; }

  // Same times and same cells, reals compared bit for bit. Without rows all are equal: nothing
  // that is stored says how many fields no row has.
  bool operator==(const Rows& other) const;

 private:
  std::size_t fields_ = 0;
  std::vector<std::int64_t> times_;
  std::vector<Cell> cells_;
  std::string text_;
};

inline void Rows::set_integer(std::size_t row, std::size_t field, std::int64_t value) {
  Cell& cell = cells_[row * fields_ + field];
  cell.kind = Cell::Kind::integer;
  cell.integer = value;
}
inline void Rows::set_real(std::size_t row, std::size_t field, double value) {
  Cell& cell = cells_[row * fields_ + field];
  cell.kind = Cell::Kind::real;
  cell.real = value;
}
inline void Rows::set_boolean(std::size_t row, std::size_t field, bool value) {
  Cell& cell = cells_[row * fields_ + field];
  cell.kind = Cell::Kind::boolean;
  cell.boolean = value;
}

}  // namespace dunlin
