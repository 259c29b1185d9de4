#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dunlin/stream.h"

namespace dunlin::agent {

// One value that says what it is.
struct NamedValue {
  Field field;
  Cell cell;         // not text
  std::string text;  // FieldType::text only
};

// One reading as it comes from a self-describing source: a line of line protocol, a JSON object.
struct Reading {
  std::string stream;
  std::optional<std::int64_t> time_us;  // absent: now
  std::vector<NamedValue> values;

  void clear() { stream.clear(), time_us.reset(), values.clear(); }
  NamedValue& add(std::string_view name, FieldType type) {
    NamedValue& value = values.emplace_back();
    value.field.name = name;
    value.field.type = type;
    return value;
  }
  void add_real(std::string_view name, double value) {
    Cell& cell = add(name, FieldType::float64).cell;
    cell.kind = Cell::Kind::real;
    cell.real = value;
  }
  void add_integer(std::string_view name, std::int64_t value) {
    Cell& cell = add(name, FieldType::int64).cell;
    cell.kind = Cell::Kind::integer;
    cell.integer = value;
  }
  void add_boolean(std::string_view name, bool value) {
    Cell& cell = add(name, FieldType::boolean).cell;
    cell.kind = Cell::Kind::boolean;
    cell.boolean = value;
  }
  void add_text(std::string_view name, std::string value) {
    NamedValue& named = add(name, FieldType::text);
    named.cell.kind = Cell::Kind::text;
    named.text = std::move(value);
  }
  // A decimal: `mantissa` / 10^`decimals`.
  void add_decimal(std::string_view name, std::int64_t mantissa, std::uint8_t decimals,
                   std::string_view unit) {
    NamedValue& value = add(name, FieldType::decimal);
    value.field.decimals = decimals;
    value.field.unit = unit;
    value.cell.kind = Cell::Kind::integer;
    value.cell.integer = mantissa;
  }
};

}  // namespace dunlin::agent
