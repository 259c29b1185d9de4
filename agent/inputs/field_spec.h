#pragma once

#include <string>
#include <string_view>

#include "agent/inputs/reading.h"
#include "dunlin/stream.h"

namespace dunlin::agent {

// "name:type:unit" as it stands in [input.columns] and [input.fields]:
// "temperature:decimal(2):Cel", "humidity:double", "door:bool". The unit may contain colons and be
// absent.
struct FieldSpec {
  Field field;
  bool inferred = false;  // only a name was given: the driver finds the type out
};
Result<FieldSpec> parse_field_spec(std::string_view text);

// A field name: 1 to 128 bytes of UTF-8 without control characters.
Result<void> check_field_name(std::string_view name);

// Empty, NA, NaN or null: a sensor that had nothing to say.
bool is_missing(std::string_view text);

// Adds the value that `text` spells for `field` to the open row: missing texts as missing, decimals
// rounded to the field's resolution (`*rounded` is set where digits were lost). `malformed`
// otherwise, and then nothing was added.
Result<void> add_value(Rows& rows, const Field& field, std::string_view text,
                       bool* rounded = nullptr);

// The same for a reading that names its values.
Result<NamedValue> named_value(const Field& field, std::string_view text);

// t, T, true, True, TRUE, 1 and their opposites.
Result<bool> parse_boolean(std::string_view text);

}  // namespace dunlin::agent
