#include "agent/inputs/field_spec.h"

#include <algorithm>
#include <array>
#include <optional>

#include "agent/inputs/number.h"
#include "agent/inputs/text.h"
#include "common/log/limits.h"

namespace dunlin::agent {

namespace {

template <std::size_t N>
bool any_of(std::string_view text, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

// "decimal(2)" into the field.
Result<void> parse_type(std::string_view text, Field& field) {
  if (text.starts_with("decimal(") && text.ends_with(')')) {
    const auto decimals = parse_integer(text.substr(8, text.size() - 9));
    if (!decimals || *decimals < 0 || *decimals > 18) {
      return {Errc::invalid_argument, "decimal(n) takes 0 to 18 digits"};
    }
    field.type = FieldType::decimal;
    field.decimals = static_cast<std::uint8_t>(*decimals);
    return {};
  }
  DUNLIN_ASSIGN(field.type, field_type_from(text));
  if (field.type == FieldType::decimal) {
    return {Errc::invalid_argument, "decimal needs its digits, as in decimal(2)"};
  }
  return {};
}

}  // namespace

Result<void> check_field_name(std::string_view name) {
  if (name.empty()) return {Errc::malformed, "a field without a name"};
  if (name.size() > kNameBytesMax) {
    return {Errc::too_large, "the field name " + excerpt(name) + " is longer than 128 bytes"};
  }
  const bool control = std::any_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) < ' ' || c == '\x7f';
  });
  if (control || !valid_utf8(name)) {
    return {Errc::malformed, "the field name " + excerpt(name) + " is not printable UTF-8"};
  }
  return {};
}

Result<FieldSpec> parse_field_spec(std::string_view text) {
  FieldSpec spec;
  const std::size_t first = text.find(':');
  spec.field.name = text.substr(0, first);
  DUNLIN_TRY(check_field_name(spec.field.name));
  spec.inferred = first == std::string_view::npos;
  if (spec.inferred) return spec;
  text.remove_prefix(first + 1);
  const std::size_t second = text.find(':');
  DUNLIN_TRY(parse_type(text.substr(0, second), spec.field));
  if (second != std::string_view::npos) spec.field.unit = text.substr(second + 1);
  if (spec.field.unit.size() > kNameBytesMax || !valid_utf8(spec.field.unit)) {
    return Error{Errc::invalid_argument, "the unit is longer than 128 bytes or no UTF-8"};
  }
  return spec;
}

bool is_missing(std::string_view text) {
  constexpr std::array<std::string_view, 9> kWords = {"",    "NA",   "N/A",  "NaN", "nan",
                                                      "NAN", "null", "NULL", "-nan"};
  return any_of(text, kWords);
}

Result<bool> parse_boolean(std::string_view text) {
  constexpr std::array<std::string_view, 6> kTrue = {"t", "T", "true", "True", "TRUE", "1"};
  constexpr std::array<std::string_view, 6> kFalse = {"f", "F", "false", "False", "FALSE", "0"};
  if (any_of(text, kTrue)) return true;
  if (any_of(text, kFalse)) return false;
  return Error{Errc::malformed, excerpt(text) + " is neither true nor false"};
}

Result<void> add_value(Rows& rows, const Field& field, std::string_view text, bool* rounded) {
  if (is_missing(text)) {
    rows.add_missing();
    return {};
  }
  const auto wrong = [&](const char* what) -> Error {
    return {Errc::malformed, field.name + ": " + excerpt(text) + " is not " + what};
  };
  switch (field.type) {
    case FieldType::float64: {
      const auto value = parse_real(text);
      if (!value) return wrong("a finite number");
      rows.add_real(*value);
      return {};
    }
    case FieldType::int64:
    case FieldType::decimal: {
      const auto number = parse_decimal(text);
      bool lost = false;
      auto value =
          number ? to_mantissa(*number, field.decimals, &lost) : std::optional<std::int64_t>();
      if (!number && field.type == FieldType::decimal) {
        // More digits than an int64 holds: those of a printed double.
        if (const auto real = parse_real(text)) value = to_mantissa(*real, field.decimals);
        lost = true;
      }
      if (!value || (lost && field.type == FieldType::int64)) {
        return wrong(field.type == FieldType::int64 ? "a 64-bit integer" : "a decimal that fits");
      }
      if (lost && rounded != nullptr) *rounded = true;
      rows.add_integer(*value);
      return {};
    }
    case FieldType::boolean: {
      DUNLIN_ASSIGN(const bool value, parse_boolean(text));
      rows.add_boolean(value);
      return {};
    }
    case FieldType::text:
      if (!valid_utf8(text)) return wrong("UTF-8");
      rows.add_text(text);
      return {};
  }
  return wrong("of a known type");
}

Result<NamedValue> named_value(const Field& field, std::string_view text) {
  Rows rows(1);
  DUNLIN_TRY(add_value(rows, field, text));
  rows.begin_row(0);
  NamedValue value{field, rows.cell(0, 0), ""};
  if (field.type == FieldType::text) value.text = rows.text(value.cell);
  return value;
}

}  // namespace dunlin::agent
