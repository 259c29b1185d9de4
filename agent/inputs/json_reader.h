#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/inputs/field_spec.h"
#include "agent/inputs/reading.h"
#include "agent/inputs/time_format.h"
#include "common/config/table.h"
#include "dunlin/result.h"

namespace dunlin::agent {

// Readings out of JSON documents. Keys of [[input]]:
//
//   [input.fields]  key = "field:type:unit"; the key is a member's name, a dotted path
//                   ("AM2301.Temperature") or a JSON pointer ("/AM2301/Temperature"). Without this
//                   table every scalar member becomes a field, nested ones joined by dots: numbers
//                   double (always: a sensor sends 21 as well as 21.5), true and false bool,
//                   strings text. null is missing.
//   time            key of the time (same forms); without it a reading happened on arrival
//   time_format     of the time, see time_format.h; by default ISO 8601 texts, numbers in
//                   microseconds
//   ignore          members that are no readings; by default "Time" and "last_seen", the clocks of
//                   Tasmota and Zigbee2MQTT
//
// Immutable; any thread.
class JsonReader {
 public:
  // Mistakes go to the table.
  static JsonReader from(config::Table& table, const std::string& time_default);

  // One document: an object, or a plain scalar, which becomes the field "value". The stream stays
  // as it is, except for {"stream":..,"time":..,"fields":{..}}, which names its own when `wrapped`.
  Result<void> read(std::string_view json, bool wrapped, Reading& out) const;

 private:
  using Path = std::vector<std::string>;
  struct Mapping {
    std::string key;
    Path path;
    FieldSpec spec;
  };
  struct Access;  // what needs the JSON library

  std::vector<Mapping> mappings_;
  std::string time_key_;
  Path time_path_;
  std::optional<TimeFormat> text_time_, number_time_;
  std::vector<std::string> ignore_;
};

}  // namespace dunlin::agent
