#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/inputs/input.h"

namespace dunlin::agent {

// type = "mqtt": readings from sensors that publish to an MQTT broker already, such as Zigbee2MQTT,
// Tasmota or ESPHome.
//
//   url            required: mqtt:// or mqtts://; with username, password_file (its first line),
//                  ca_file, cert_file, key_file, client_id, protocol (5 or 4) as for [broker]
//   topics         required: the filters to subscribe to, ["zigbee2mqtt/+", "tele/+/SENSOR"]
//   stream         "{topic}"; {1} is the second level of the topic, so "zigbee/{1}"; bytes that a
//                  stream's name cannot have become '_'
//   retained       false: what the broker kept from before is skipped, its time being unknown
//   [input.fields], time, time_format, ignore: see json_reader.h. A payload is a JSON object, whose
//                  scalar members become fields, or a plain value, which becomes the field "value"
//
// Each input is one more MQTT client in the process, and with Paho every client after the first
// costs about two seconds at connect. Prefer one input with several topics to several inputs.
Result<std::unique_ptr<Input>> make_mqtt_input(config::Table& table);

// The name of a stream by the topic of a message.
class StreamTemplate {
 public:
  // `invalid_argument` for a brace that is not {topic} or {n}.
  static Result<StreamTemplate> from(std::string_view text);
  // `malformed` when the topic has too few levels.
  Result<std::string> name(std::string_view topic) const;

 private:
  static constexpr int kLiteral = -2, kTopic = -1;
  struct Part {
    int level;  // of the topic, or one of the above
    std::string literal;
  };
  std::vector<Part> parts_;
};

}  // namespace dunlin::agent
