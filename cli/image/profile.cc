#include "cli/image/profile.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "common/config/nearest.h"
#include "common/config/table.h"

namespace dunlin::image {

namespace {

using config::Table;
namespace fs = std::filesystem;

constexpr std::uint64_t kMiB = 1 << 20;
// The agent next to a Debian kernel and its modules.
constexpr std::uint64_t kRamMin = 64 * kMiB;
// Partition tables at both ends of the flash.
constexpr std::uint64_t kTables = 2 * kMiB;
// What a flush writes: the log's pages, their place in the WAL and the file system's journal.
// Measured by `dunlin-bench firmware`: 4 KB for one reading, 11 KB for a minute's at one a second.
constexpr std::uint64_t kBytesPerFlush = 11 << 10;
constexpr std::chrono::microseconds kDay = std::chrono::hours(24);

const std::vector<std::string>& architectures() {
  static const std::vector<std::string> kAll = {"amd64", "arm64", "armhf"};
  return kAll;
}

// The types of [[input]] that an agent has (agent/inputs/registry.cc).
const std::vector<std::string>& input_types() {
  static const std::vector<std::string> kAll = {
      "csv",    "exec",  "gpio", "host",   "hwmon", "iio",     "line_protocol",
      "modbus", "model", "mqtt", "serial", "stdin", "thermal", "w1"};
  return kAll;
}

std::string shown(std::uint64_t bytes) {
  if (bytes % kMiB == 0) return std::to_string(bytes / kMiB) + "MiB";
  return std::to_string(bytes) + " bytes";
}

bool missing(Table& table, std::string_view key) {
  if (table.has(key)) return false;
  table.mistake(key, "missing");
  return true;
}

// A word that a command line or a configuration takes as it is.
std::string word(Table& table, std::string_view key) {
  const std::string text = table.required_text(key);
  const bool plain = std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_.,+=").find(c) != std::string_view::npos;
  });
  if (!plain) table.mistake(key, "should be letters, digits and -_.,+=");
  return text;
}

std::uint64_t size(Table& table, std::string_view key, std::uint64_t min) {
  if (missing(table, key)) return 0;
  const std::uint64_t bytes = table.size(key, min);
  if (bytes < min) table.mistake(key, "at least " + shown(min) + ", not " + shown(bytes));
  return bytes;
}

std::uint64_t partition(Table& table, std::string_view key) {
  const std::uint64_t bytes = size(table, key, kMiB);
  if (bytes % kMiB != 0) table.mistake(key, "should be whole MiB, not " + shown(bytes));
  return bytes;
}

std::vector<std::string> sensors(Table& table) {
  if (missing(table, "sensors")) return {};
  std::vector<std::string> types = table.texts("sensors");
  std::set<std::string> seen;
  for (const std::string& type : types) {
    if (std::ranges::find(input_types(), type) == input_types().end()) {
      table.mistake("sensors", "no input has the type \"" + type + "\"" +
                                   config::did_you_mean(type, input_types()));
    } else if (!seen.insert(type).second) {
      table.mistake("sensors", "\"" + type + "\" stands there twice");
    }
  }
  return types;
}

Profile::Partitions partitions(Table table, Table& root, std::uint64_t flash) {
  Profile::Partitions out{partition(table, "boot"), partition(table, "root"),
                          partition(table, "data")};
  // In this order, since a sum of sizes below 2^53 does not wrap.
  const std::uint64_t all = out.boot + 2 * out.root + out.data + kTables;
  if (flash != 0 && all > flash) {
    root.mistake("flash", "boot, two roots, data and their tables are " + shown(all) +
                              ", which do not fit " + shown(flash));
  }
  return out;
}

Profile::Limits limits(Table table, const Profile& profile) {
  Profile::Limits out{size(table, "max_bytes", kMiB), size(table, "min_free_bytes", 0), {}};
  // A tenth of a file system is its own.
  const std::uint64_t room = profile.partitions.data - profile.partitions.data / 10;
  if (room != 0 && out.max_bytes + out.min_free_bytes > room) {
    table.mistake("max_bytes", "with min_free_bytes " + shown(out.max_bytes + out.min_free_bytes) +
                                   ", of a data partition that has room for " + shown(room));
  }
  if (missing(table, "flush_interval")) return out;
  out.flush_interval = table.duration("flush_interval", {});
  if (out.flush_interval <= std::chrono::microseconds(0)) {
    table.mistake("flush_interval", "should be more than 0");
    return out;
  }
  const auto flushes = static_cast<std::uint64_t>(kDay / out.flush_interval);
  if (profile.wear_per_day != 0 && flushes * kBytesPerFlush > profile.wear_per_day) {
    table.mistake("flush_interval", "writes up to " + shown(flushes * kBytesPerFlush) +
                                        " a day, and wear_per_day is " +
                                        shown(profile.wear_per_day));
  }
  return out;
}

Profile read(Table& root) {
  Profile out;
  out.description = root.required_text("description");
  if (!missing(root, "architecture")) {
    out.architecture = root.choice("architecture", "", architectures());
  }
  out.cpu = word(root, "cpu");
  out.ram = size(root, "ram", kRamMin);
  out.flash = size(root, "flash", kMiB);
  out.wear_per_day = size(root, "wear_per_day", kMiB);
  out.console = word(root, "console");
  out.sensors = sensors(root);
  out.partitions = partitions(root.table("partitions"), root, out.flash);
  out.agent = limits(root.table("agent"), out);
  if (root.has("qemu")) {
    Table qemu = root.table("qemu");
    out.qemu = Profile::Qemu{word(qemu, "machine"), word(qemu, "cpu")};
  }
  return out;
}

}  // namespace

std::vector<std::string> profile_names(const std::string& profiles) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(profiles, error)) {
    if (fs::is_regular_file(entry.path() / "profile.toml", error)) {
      names.push_back(entry.path().filename());
    }
  }
  std::ranges::sort(names);
  return names;
}

Result<Profile> load_profile(const std::string& profiles, const std::string& name) {
  const std::vector<std::string> names = profile_names(profiles);
  if (std::ranges::find(names, name) == names.end()) {
    std::string all;
    for (const std::string& each : names) all += (all.empty() ? "" : " ") + each;
    return {Errc::not_found, profiles + ": no profile \"" + name + "\"" +
                                 config::did_you_mean(name, names) +
                                 (all.empty() ? "; there is none" : "; there are " + all)};
  }
  DUNLIN_ASSIGN(config::Document document,
                config::Document::load({profiles + "/" + name + "/profile.toml", {}}));
  Profile profile = read(document.root());
  profile.name = name;
  std::string wrong;
  for (const std::string& each : document.mistakes()) wrong += (wrong.empty() ? "" : "\n") + each;
  if (!wrong.empty()) return {Errc::config, wrong};
  return profile;
}

}  // namespace dunlin::image
