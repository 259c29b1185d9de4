#include <bit>
#include <string>

#include "common/base/check.h"
#include "dunlin/stream.h"

namespace dunlin {

namespace {
constexpr std::string_view kTypeNames[] = {"double", "int64", "decimal", "bool", "text"};
}

std::string_view to_string(FieldType type) {
  return kTypeNames[static_cast<std::size_t>(type)];
}

Result<FieldType> field_type_from(std::string_view name) {
  for (std::size_t i = 0; i < std::size(kTypeNames); ++i) {
    if (kTypeNames[i] == name) return static_cast<FieldType>(i);
  }
  return {Errc::invalid_argument,
          "unknown field type \"" + std::string(name) + "\" (double, int64, decimal, bool, text)"};
}

void Rows::add_integer(std::int64_t value) {
  Cell cell;
  cell.kind = Cell::Kind::integer;
  cell.integer = value;
  cells_.push_back(cell);
}

void Rows::add_real(double value) {
  Cell cell;
  cell.kind = Cell::Kind::real;
  cell.real = value;
  cells_.push_back(cell);
}

void Rows::add_boolean(bool value) {
  Cell cell;
  cell.kind = Cell::Kind::boolean;
  cell.boolean = value;
  cells_.push_back(cell);
}

void Rows::add_text(std::string_view value) {
  Cell cell;
  cell.kind = Cell::Kind::text;
  cell.text_offset = text_.size();
  cell.text_size = static_cast<std::uint32_t>(value.size());
  text_.append(value);
  cells_.push_back(cell);
}

void Rows::set_text(std::size_t row, std::size_t field, std::string_view value) {
  Cell& cell = cells_[row * fields_ + field];
  cell.kind = Cell::Kind::text;
  cell.text_offset = text_.size();
  cell.text_size = static_cast<std::uint32_t>(value.size());
  text_.append(value);
}

void Rows::add_cell(const Rows& other, const Cell& cell) {
  if (cell.kind == Cell::Kind::text) {
    add_text(other.text(cell));
  } else {
    cells_.push_back(cell);
  }
}

void Rows::add_row(const Rows& other, std::size_t row) {
  DUNLIN_CHECK(other.fields_ == fields_);
  begin_row(other.time(row));
  for (std::size_t field = 0; field < fields_; ++field) add_cell(other, other.cell(row, field));
}

bool Rows::operator==(const Rows& other) const {
  // Rows that are there say how many fields they have; without any, nothing is there to differ.
  if (times_ != other.times_ || cells_.size() != other.cells_.size()) return false;
  for (std::size_t i = 0; i < cells_.size(); ++i) {
    const Cell& a = cells_[i];
    const Cell& b = other.cells_[i];
    if (a.kind != b.kind) return false;
    switch (a.kind) {
      case Cell::Kind::missing:
        break;
      case Cell::Kind::integer:
        if (a.integer != b.integer) return false;
        break;
      case Cell::Kind::real:
        if (std::bit_cast<std::uint64_t>(a.real) != std::bit_cast<std::uint64_t>(b.real))
          return false;
        break;
      case Cell::Kind::boolean:
        if (a.boolean != b.boolean) return false;
        break;
      case Cell::Kind::text:
        if (text(a) != other.text(b)) return false;
        break;
    }
  }
  return true;
}

}  // namespace dunlin
