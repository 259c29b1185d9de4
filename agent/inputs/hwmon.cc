#include "agent/inputs/hwmon.h"

#include <algorithm>
#include <map>
#include <optional>

#include "agent/inputs/schedule.h"
#include "agent/inputs/sysfs.h"

namespace dunlin::agent {

namespace {

// Documentation/hwmon/sysfs-interface.rst of the kernel.
struct Kind {
  std::string_view name;
  Quantity quantity;
};
constexpr Kind kKinds[] = {{"temp", {"Cel", 3}}, {"in", {"V", 3}},     {"curr", {"A", 3}},
                           {"power", {"W", 6}},  {"energy", {"J", 6}}, {"humidity", {"%", 3}},
                           {"fan", {"/min", 0}}};

// The channels of one kind: their numbers, and whether there is only an average.
std::map<int, bool> channels(const std::vector<std::string>& names, const Kind& kind) {
  std::map<int, bool> out;
  for (const std::string& name : names) {
    if (const auto n = number_in(name, kind.name, "_input")) out[*n] = false;
    if (const auto n = number_in(name, kind.name, "_average")) out.emplace(*n, true);
  }
  return out;
}

}  // namespace

void read_hwmon(const std::string& sys,
                const std::function<bool(std::string_view chip, std::string_view kind)>& wanted,
                Sensors& sensors) {
  for (const std::string& folder : numbered(sys + "/class/hwmon", "hwmon")) {
    const std::string chip = read_label(folder + "/name");
    const std::string chip_name = sensors.device_name(device_at(folder + "/device"), chip);
    const std::vector<std::string> names = names_in(folder);
    for (const Kind& kind : kKinds) {
      if (!wanted(chip, kind.name)) continue;
      for (const auto& [number, average] : channels(names, kind)) {
        if (sensors.stopped()) return;
        const std::string channel = std::string(kind.name) + std::to_string(number);
        const auto has = [&](const char* suffix) {
          return std::binary_search(names.begin(), names.end(), channel + suffix);
        };
        const std::string stem = folder + "/" + channel;
        std::string label = has("_label") ? read_label(stem + "_label") : "";
        const std::string name =
            sensors.name(chip_name + "." + (label.empty() ? channel : std::move(label)));
        if (has("_fault") && read_label(stem + "_fault") == "1") continue;
        sensors.add_attribute(name, stem + (average ? "_average" : "_input"), kind.quantity);
      }
    }
  }
}

Result<std::unique_ptr<Input>> make_hwmon_input(config::Table& table) {
  const std::string sys = table.text("sys", "/sys");
  std::vector<std::string> kinds = table.texts("kinds");
  for (const std::string& kind : kinds) {
    const bool known = std::any_of(std::begin(kKinds), std::end(kKinds),
                                   [&](const Kind& each) { return each.name == kind; });
    if (!known) {
      table.mistake("kinds",
                    "\"" + kind + "\" is none of temp, in, curr, power, energy, humidity, fan");
    }
  }
  const auto wanted = [kinds = std::move(kinds)](std::string_view, std::string_view kind) {
    return kinds.empty() || std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
  };
  return make_sensor_input({stream_key(table, "hwmon"), sys + "/class/hwmon",
                            interval_key(table, std::chrono::seconds(10)), names_key(table)},
                           [sys, wanted](Sensors& sensors) { read_hwmon(sys, wanted, sensors); });
}

}  // namespace dunlin::agent
