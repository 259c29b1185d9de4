#include "agent/inputs/w1.h"

#include <algorithm>

#include "agent/inputs/number.h"
#include "agent/inputs/schedule.h"
#include "agent/inputs/sensors.h"
#include "agent/inputs/sysfs.h"
#include "agent/inputs/text.h"

namespace dunlin::agent {

namespace {

constexpr std::int64_t kSwitchedOn = 85'000;    // what the memory holds after a reset,
constexpr std::int64_t kStarved = 127'937;      // and after a conversion without the power for it
constexpr std::string_view kAfterReset = "0c";  // the seventh byte then; a conversion changes it

const Error kNotMeasured{Errc::not_connected,
                         "the sensor was reset and has not measured: look at its power"};

bool is_thermometer(std::string_view id) {
  constexpr std::string_view kFamilies[] = {"10-", "22-", "28-", "3b-", "42-"};
  return std::any_of(std::begin(kFamilies), std::end(kFamilies),
                     [&](std::string_view family) { return id.starts_with(family); });
}

// The file of the older interface tells more. Where it is not there, 85 degrees cannot be told from
// those after a reset, and nothing is better than a wrong value.
Result<std::optional<std::int64_t>> read_sensor(const std::string& folder) {
  DUNLIN_ASSIGN(const std::optional<std::string> raw, read_attribute(folder + "/w1_slave"));
  if (raw) {
    DUNLIN_ASSIGN(const std::int64_t value, parse_w1_slave(*raw));
    return std::optional(value);
  }
  DUNLIN_ASSIGN(const std::optional<std::string> text, read_attribute(folder + "/temperature"));
  if (!text) return std::optional<std::int64_t>();
  const auto value = parse_integer(*text);
  if (!value) return Error{Errc::malformed, excerpt(*text) + " is no temperature"};
  if (*value == kSwitchedOn) return kNotMeasured;
  return value;
}

void read_bus(const std::string& devices, Sensors& sensors) {
  for (const std::string& id : names_in(devices)) {
    if (!is_thermometer(id)) continue;
    if (sensors.stopped()) return;
    const std::string name = sensors.device_name(id, id);
    const std::string folder = devices + "/" + id;
    const Result<std::optional<std::int64_t>> value = read_sensor(folder);
    if (!value.ok()) {
      sensors.report(folder, value.error());
    } else if (*value) {
      sensors.add(name, **value, {"Cel", 3});
    }
  }
}

}  // namespace

Result<std::int64_t> parse_w1_slave(std::string_view text) {
  const Error wrong{Errc::malformed, excerpt(text) + " is not what a thermometer says"};
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return wrong;
  const std::string_view first = text.substr(0, end), second = text.substr(end + 1);
  // "50 05 4b 46 7f ff 0c 10 1c : crc=1c YES"
  if (first.find(" : crc=") == std::string_view::npos) return wrong;
  if (!first.ends_with(" YES")) return Error{Errc::malformed, "a bad checksum on the wire"};
  const std::size_t at = second.find("t=");
  if (at == std::string_view::npos) return wrong;
  const auto value = parse_integer(second.substr(at + 2, second.find('\n', at) - at - 2));
  if (!value) return wrong;
  constexpr std::size_t kSeventh = 6 * 3;
  const bool reset = first.substr(std::min(kSeventh, first.size()), 2) == kAfterReset;
  if (reset && (*value == kSwitchedOn || *value == kStarved)) return kNotMeasured;
  return *value;
}

Result<std::unique_ptr<Input>> make_w1_input(config::Table& table) {
  const std::string devices = table.text("sys", "/sys") + "/bus/w1/devices";
  SensorNames names = names_key(table);
  for (const auto& [id, name] : names)
    if (!is_thermometer(id))
      table.table("names").mistake(id, "no thermometer; an id is as 28-0000075c0a1f");
  return make_sensor_input({stream_key(table, "w1"), devices,
                            interval_key(table, std::chrono::seconds(30)), std::move(names)},
                           [devices](Sensors& sensors) { read_bus(devices, sensors); });
}

}  // namespace dunlin::agent
