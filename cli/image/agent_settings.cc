#include "cli/image/agent_settings.h"

#include <algorithm>
#include <array>

namespace dunlin::image {

namespace {

// Inputs that find what there is by themselves.
constexpr std::array kNeedNoSettings = {"hwmon", "iio", "thermal", "w1"};

}  // namespace

std::string agent_settings(const Profile& profile) {
  std::string text = "[node]\ndata_dir = \"/data/agent\"\n\n[storage]\nmax_bytes = " +
                     std::to_string(profile.agent.max_bytes) +
                     "\nmin_free_bytes = " + std::to_string(profile.agent.min_free_bytes) +
                     "\n\n[[track]]\nname = \"samples\"\nflush_interval = \"" +
                     std::to_string(profile.agent.flush_interval.count()) + "us\"\n";
  text += "\n[[input]]\ntype = \"host\"\ninterval = \"10s\"\ndisk_path = \"/data\"\n";
  const auto& sensors = profile.sensors;
  const auto has = [&](const char* type) {
    return std::find(sensors.begin(), sensors.end(), type) != sensors.end();
  };
  for (const char* type : kNeedNoSettings) {
    if (!has(type)) continue;
    text += "\n[[input]]\ntype = \"" + std::string(type) + "\"\n";
    // The temperatures of the latter are there already.
    if (std::string_view(type) == "thermal" && has("hwmon")) text += "hwmon = false\n";
  }
  return text;
}

}  // namespace dunlin::image
