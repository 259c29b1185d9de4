#include "agent/inputs/thermal.h"

#include <algorithm>
#include <set>

#include "agent/inputs/hwmon.h"
#include "agent/inputs/schedule.h"
#include "agent/inputs/sensors.h"
#include "agent/inputs/sysfs.h"

namespace dunlin::agent {

namespace {

void read_thermal(const std::string& sys, bool hwmon, Sensors& sensors) {
  std::set<std::string, std::less<>> zone_types;
  for (const std::string& zone : numbered(sys + "/class/thermal", "thermal_zone")) {
    std::string type = read_label(zone + "/type");
    if (type.empty()) continue;
    sensors.add_attribute(sensors.name(type), zone + "/temp", {"Cel", 3});
    std::replace(type.begin(), type.end(), '-', '_');  // as the kernel names its hwmon twin
    zone_types.insert(std::move(type));
  }
  if (!hwmon) return;
  read_hwmon(
      sys,
      [&](std::string_view chip, std::string_view kind) {
        return kind == "temp" && !zone_types.contains(chip);
      },
      sensors);
}

}  // namespace

Result<std::unique_ptr<Input>> make_thermal_input(config::Table& table) {
  const std::string sys = table.text("sys", "/sys");
  const bool hwmon = table.boolean("hwmon", true);
  return make_sensor_input({stream_key(table, "thermal"), sys + "/class/thermal",
                            interval_key(table, std::chrono::seconds(10))},
                           [sys, hwmon](Sensors& sensors) { read_thermal(sys, hwmon, sensors); });
}

}  // namespace dunlin::agent
