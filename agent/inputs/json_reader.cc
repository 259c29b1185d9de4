#include "agent/inputs/json_reader.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "agent/inputs/number.h"
#include "agent/inputs/text.h"
#include "common/log/limits.h"

namespace dunlin::agent {

namespace {

using Json = nlohmann::ordered_json;  // fields keep the order in which they were sent
constexpr int kDepthMax = 16;

// "/a~1b/c" or "a.b" into its steps.
std::vector<std::string> split_path(std::string_view key) {
  const bool pointer = key.starts_with('/');
  const char separator = pointer ? '/' : '.';
  if (pointer) key.remove_prefix(1);
  std::vector<std::string> path(1);
  for (std::size_t i = 0; i < key.size(); ++i) {
    if (key[i] == separator) {
      path.emplace_back();
    } else if (pointer && key[i] == '~' && i + 1 < key.size()) {
      path.back().push_back(key[++i] == '1' ? '/' : '~');
    } else {
      path.back().push_back(key[i]);
    }
  }
  return path;
}

// One step down, into an object or an array; null when there is nothing.
const Json* step(const Json& json, const std::string& key) {
  if (json.is_object()) {
    const auto member = json.find(key);
    return member == json.end() ? nullptr : &*member;
  }
  if (json.is_array()) {
    const auto index = parse_integer(key);
    if (!index || *index < 0 || static_cast<std::size_t>(*index) >= json.size()) return nullptr;
    return &json[static_cast<std::size_t>(*index)];
  }
  return nullptr;
}

const Json* find(const Json& json, const std::string& key, const std::vector<std::string>& path) {
  if (const Json* member = step(json, key)) return member;  // a name may contain dots
  const Json* at = &json;
  for (const std::string& part : path) {
    if (at != nullptr) at = step(*at, part);
  }
  return at;
}

// A scalar by its own nature; null adds nothing.
void add_natural(const std::string& name, const Json& json, Reading& out) {
  if (json.is_boolean()) out.add_boolean(name, json.get<bool>());
  if (json.is_number()) out.add_real(name, json.get<double>());
  if (json.is_string()) out.add_text(name, json.get<std::string>());
}

// A scalar as the mapping wants it.
Result<void> add_mapped(const Field& field, const Json& json, Reading& out) {
  if (json.is_null()) return {};
  std::string text = json.is_string() ? json.get<std::string>() : json.dump();
  if (field.type == FieldType::boolean && (text == "ON" || text == "on")) text = "true";
  if (field.type == FieldType::boolean && (text == "OFF" || text == "off")) text = "false";
  NamedValue value;
  value.field = field;
  if (field.type == FieldType::text) {
    value.cell.kind = Cell::Kind::text;
    value.text = std::move(text);
  } else if ((field.type == FieldType::decimal || field.type == FieldType::int64) &&
             json.is_number_float()) {
    const auto mantissa = to_mantissa(json.get<double>(), field.decimals);
    const bool whole = field.type == FieldType::decimal ||
                       (mantissa && static_cast<double>(*mantissa) == json.get<double>());
    if (!mantissa || !whole) {
      return {Errc::malformed, field.name + ": " + excerpt(text) + " does not fit"};
    }
    value.cell.kind = Cell::Kind::integer;
    value.cell.integer = *mantissa;
  } else {
    DUNLIN_ASSIGN(value, named_value(field, text));
  }
  out.values.push_back(std::move(value));
  return {};
}

}  // namespace

struct JsonReader::Access {
  const JsonReader& reader;
  Reading& out;

  bool ignored(const std::string& name) const {
    return (!name.empty() && name == reader.time_key_) ||
           std::find(reader.ignore_.begin(), reader.ignore_.end(), name) != reader.ignore_.end();
  }

  Result<void> flatten(const std::string& name, const Json& json, int depth) {
    if (!json.is_structured()) {
      if (!ignored(name)) add_natural(name.empty() ? "value" : name, json, out);
    } else if (depth == kDepthMax) {
      return {Errc::too_large, "JSON nested deeper than 16 levels"};
    }
    if (out.values.size() > kFieldsMax) {
      return {Errc::too_large, "JSON with more than 256 values"};
    }
    const std::string prefix = name.empty() ? "" : name + ".";
    if (json.is_object()) {
      for (const auto& [key, member] : json.items()) {
        DUNLIN_TRY(flatten(prefix + key, member, depth + 1));
      }
    } else if (json.is_array()) {
      for (std::size_t i = 0; i < json.size(); ++i) {
        DUNLIN_TRY(flatten(prefix + std::to_string(i), json[i], depth + 1));
      }
    }
    return {};
  }

  Result<void> map(const Json& json) {
    for (const Mapping& mapping : reader.mappings_) {
      const Json* value = find(json, mapping.key, mapping.path);
      if (value == nullptr) continue;
      if (value->is_structured()) {
        return {Errc::malformed, excerpt(mapping.key) + " is no single value"};
      }
      if (mapping.spec.inferred) {
        add_natural(mapping.spec.field.name, *value, out);
      } else {
        DUNLIN_TRY(add_mapped(mapping.spec.field, *value, out));
      }
    }
    return {};
  }

  Result<void> read_time(const Json& json) {
    if (reader.time_key_.empty()) return {};
    const Json* time = find(json, reader.time_key_, reader.time_path_);
    if (time == nullptr || time->is_null()) return {};
    if (!time->is_string() && !time->is_number()) {
      return {Errc::malformed, "the time is neither a text nor a number"};
    }
    const auto& format = time->is_string() ? reader.text_time_ : reader.number_time_;
    DUNLIN_ASSIGN(out.time_us,
                  format->parse(time->is_string() ? time->get<std::string>() : time->dump()));
    return {};
  }

  Result<void> read(const Json& json, bool wrapped) {
    const Json* values = &json;
    if (wrapped && json.is_object() && json.contains("fields") && json["fields"].is_object()) {
      values = &json["fields"];
      if (json.contains("stream")) {
        if (!json["stream"].is_string()) return {Errc::malformed, "the stream is no text"};
        out.stream = stream_name_from(json["stream"].get<std::string>());
      }
    }
    if (json.is_object()) DUNLIN_TRY(read_time(json));
    DUNLIN_TRY(reader.mappings_.empty() || !json.is_object() ? flatten("", *values, 0)
                                                             : map(*values));
    if (out.values.empty()) return {Errc::malformed, "JSON without a value to take"};
    return {};
  }
};

JsonReader JsonReader::from(config::Table& table, const std::string& time_default) {
  JsonReader reader;
  config::Table fields = table.table("fields");
  for (const auto& [key, text] : fields.text_pairs()) {
    Result<FieldSpec> spec = parse_field_spec(text);
    if (!spec.ok()) {
      fields.mistake(key, spec.error().context);
      continue;
    }
    reader.mappings_.push_back({key, split_path(key), std::move(spec).value()});
  }
  reader.time_key_ = table.text("time", time_default);
  reader.time_path_ = split_path(reader.time_key_);
  reader.text_time_ = TimeFormat::from("iso8601").value();
  reader.number_time_ = TimeFormat::from("unix_us").value();
  if (const std::string name = table.text("time_format"); !name.empty()) {
    const auto format = TimeFormat::from(name);
    if (format.ok()) {
      reader.text_time_ = reader.number_time_ = format.value();
    } else {
      table.mistake("time_format", format.error().context);
    }
  }
  reader.ignore_ =
      table.has("ignore") ? table.texts("ignore") : std::vector<std::string>{"Time", "last_seen"};
  return reader;
}

Result<void> JsonReader::read(std::string_view json, bool wrapped, Reading& out) const {
  out.values.clear();
  out.time_us.reset();
  try {
    const Json document = Json::parse(json.begin(), json.end(), nullptr, false);
    if (document.is_discarded()) return {Errc::malformed, excerpt(json) + " is not JSON"};
    return Access{*this, out}.read(document, wrapped);
  } catch (const std::exception& error) {
    return {Errc::malformed, excerpt(error.what())};
  }
}

}  // namespace dunlin::agent
