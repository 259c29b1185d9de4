#include "cli/image/agent_settings.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <set>

#include "cli/image/files.h"
#include "common/config/tree.h"

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

Result<void> check_settings(const std::vector<std::string>& files) {
  std::set<std::string> names;
  for (const std::string& file : files) {
    std::string name = std::filesystem::path(file).filename().string();
    if (name.starts_with('.') || !name.ends_with(".toml"))
      return {Errc::invalid_argument, file + ": settings are NAME.toml, or nobody reads them"};
    for (char& each : name) each = static_cast<char>(std::tolower(each));
    if (!names.insert(name).second)
      return {Errc::invalid_argument, file + ": there are other settings of this name"};
    DUNLIN_ASSIGN(const std::string text, read_file(file));
    DUNLIN_TRY(config::parse_toml(text, file));
  }
  return {};
}

}  // namespace dunlin::image
