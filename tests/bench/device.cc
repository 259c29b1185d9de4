#include "tests/bench/device.h"

#include <regex>
#include <sstream>
#include <utility>

#include "cli/image/command.h"
#include "cli/image/compress.h"
#include "cli/image/disk.h"
#include "cli/image/files.h"

namespace dunlin::bench {

namespace {

namespace fs = std::filesystem;

const std::string kSource = DUNLIN_SOURCE_DIR;
constexpr double kTick = 0.01;      // seconds, of /proc/PID/stat
constexpr double kSector = 512;     // bytes, of /sys/block/DISK/stat
constexpr double kKilobyte = 1024;  // of /proc

// Replaces what a regular expression finds first, which must be there.
Result<void> change(const std::string& file, const std::string& what, const std::string& by) {
  DUNLIN_ASSIGN(const std::string text, image::read_file(file));
  const std::regex found(what);
  if (!std::regex_search(text, found)) return {Errc::not_found, file + " has no " + what};
  const bool runs = (fs::status(file).permissions() & fs::perms::owner_exec) != fs::perms::none;
  return image::write_file(
      file, std::regex_replace(text, found, by, std::regex_constants::format_first_only),
      runs ? 0755 : 0644);
}

image::BuildOptions build_options(const std::string& profile) {
  return {.profile = profile,
          .profiles = kSource + "/firmware-profiles",
          .programs = kSource + "/build/firmware/" + profile + "/tree",
          .cache = kSource + "/build/packages"};
}

}  // namespace

std::vector<Usage> read_usages(const std::string& console) {
  std::vector<Usage> all;
  Usage usage;
  const std::map<std::string, std::pair<double Usage::*, double>> known = {
      {"uptime", {&Usage::uptime, 1}},
      {"pid", {&Usage::pid, 1}},
      {"Rss", {&Usage::resident, kKilobyte}},
      {"Private_Clean", {&Usage::private_clean, kKilobyte}},
      {"Private_Dirty", {&Usage::private_dirty, kKilobyte}},
      {"ticks", {&Usage::cpu, kTick}},
      {"wakeups", {&Usage::wakeups, 1}},
      {"sectors", {&Usage::written, kSector}}};
  std::istringstream lines(console);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string mark, name, file;
    double value = 0;
    if (!(words >> mark >> name) || mark != "measured:") continue;
    if (name == "end") all.push_back(std::exchange(usage, {}));
    if (name == "clean" && words >> value >> file) usage.clean_of[file] = value * kKilobyte;
    const auto field = known.find(name);
    if (field == known.end() || !(words >> value)) continue;
    usage.*field->second.first += value * field->second.second;
  }
  return all;
}

Result<std::unique_ptr<Device>> Device::make(const Options& options) {
  std::unique_ptr<Device> device(new Device);
  DUNLIN_TRY(device->change_profiles(options));
  image::BuildOptions build = build_options(options.profile);
  build.profiles = device->folder_.file("profiles");
  build.bundle = options.bundle;
  build.out = device->folder_.file("device.img");
  if (!options.settings.empty())
    build.settings = {device->folder_.write("measured.toml", options.settings)};
  DUNLIN_TRY(image::build(build));
  return device;
}

Result<image::BuiltImage> Device::image_of(const std::string& profile, const std::string& out) {
  image::BuildOptions build = build_options(profile);
  build.out = out;
  return image::build(build);
}

std::string Device::programs_of(const std::string& profile) {
  return build_options(profile).programs + "/usr/bin";
}

Result<void> Device::change_profiles(const Options& options) {
  const std::string profiles = folder_.file("profiles"), base = profiles + "/base";
  const std::string profile = profiles + "/" + options.profile + "/profile.toml";
  const std::string ours = kSource + "/tests/bench/image/";
  const std::string scripts = base + "/root/usr/lib/dunlin/";
  fs::copy(kSource + "/firmware-profiles", profiles, fs::copy_options::recursive);
  if (options.bare_port != 0) {
    fs::copy(ours + "bare", base + "/initrd/init", fs::copy_options::overwrite_existing);
    DUNLIN_TRY(change(base + "/initrd/init", "@PORT@", std::to_string(options.bare_port)));
    return change(base + "/image.toml", "early_modules = .*", "early_modules = [\"virtio_net\"]");
  }
  if (!options.flush_interval.empty()) {
    DUNLIN_TRY(change(profile, "flush_interval = .*",
                      "flush_interval = \"" + options.flush_interval + "\""));
    // What the flash would bear is what is measured.
    DUNLIN_TRY(change(profile, "wear_per_day = .*", "wear_per_day = \"100GiB\""));
  }
  std::string before = "::sysinit:/bin/busybox echo measured: init\n", after;
  after = "\n::sysinit:/bin/busybox echo measured: started";
  if (!options.inputs) {
    fs::copy(ours + "no_inputs", scripts);
    after += "\n::sysinit:/usr/lib/dunlin/no_inputs";
  }
  if (options.window.count() != 0) {
    fs::copy(ours + "measure", scripts);
    after += "\n::respawn:/usr/lib/dunlin/measure " + std::to_string(options.warm_up.count()) +
             " " + std::to_string(options.window.count());
  }
  return change(base + "/root/etc/inittab", "::sysinit:/usr/lib/dunlin/start",
                before + "$&" + after);
}

Result<void> Device::put_data(const std::string& folder) {
  const std::string file = folder_.file("data.ext4");
  DUNLIN_TRY(image::decompress(folder_.file("device.img"), machine_.disk()));
  DUNLIN_ASSIGN(const image::Layout layout, image::read_layout(machine_.disk()));
  const image::Extent data = layout.partitions[image::Layout::data];
  DUNLIN_TRY(image::write_file(file, ""));
  fs::resize_file(file, data.size);
  DUNLIN_TRY(image::run(
      {{"mke2fs", "-q", "-F", "-t", "ext4", "-L", "data", "-m", "0", "-d", folder, file}}));
  // With its zeros.
  DUNLIN_TRY(image::run({{"dd", "if=" + file, "of=" + machine_.disk(), "bs=1M", "conv=notrunc",
                          "seek=" + std::to_string(data.offset / image::Layout::kAlign)}}));
  return {};
}

}  // namespace dunlin::bench
