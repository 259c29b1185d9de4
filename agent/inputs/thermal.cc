#include "agent/inputs/thermal.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "agent/inputs/files.h"
#include "agent/inputs/number.h"
#include "agent/inputs/schedule.h"
#include "agent/inputs/streams.h"
#include "agent/inputs/text.h"

namespace dunlin::agent {

namespace {

std::string trimmed_file(const std::string& path) {
  Result<std::string> text = read_small_file(path);
  if (!text.ok()) return "";
  std::string out = std::move(text).value();
  while (!out.empty() && (out.back() == '\n' || out.back() == ' ')) out.pop_back();
  return out;
}

// Entries of a folder whose names start with `prefix`, in the order of the number that follows.
std::vector<std::string> numbered(const std::string& folder, std::string_view prefix,
                                  std::string_view suffix = "") {
  std::map<std::int64_t, std::string> found;
  std::error_code error;
  std::filesystem::directory_iterator entry(folder, error);
  while (!error && entry != std::filesystem::directory_iterator()) {
    const std::string name = entry->path().filename().string();
    if (name.size() > prefix.size() + suffix.size() && name.starts_with(prefix) &&
        name.ends_with(suffix)) {
      const auto number = parse_integer(std::string_view(name).substr(
          prefix.size(), name.size() - prefix.size() - suffix.size()));
      if (number) found.emplace(*number, folder + "/" + name);
    }
    entry.increment(error);
  }
  std::vector<std::string> out;
  for (auto& [number, path] : found) out.push_back(std::move(path));
  return out;
}

class ThermalInput final : public Input {
 public:
  struct Options {
    std::string stream, sys;
    bool hwmon;
    std::chrono::microseconds interval;
  };
  explicit ThermalInput(Options options) : options_(std::move(options)) {}

  Result<void> run(InputSink& sink, std::stop_token stop) override {
    const std::chrono::microseconds slow =
        std::max<std::chrono::microseconds>(options_.interval, std::chrono::minutes(1));
    bool reported = false;
    while (!stop.stop_requested()) {
      if (sample(sink).values.empty()) {
        if (!reported) {
          sink.report(options_.sys + "/class/thermal",
                      {Errc::not_found, "no temperature sensor; looking again every minute"});
        }
        reported = true;
        wait_for(stop, slow);
        continue;
      }
      Result<void> done = run_every(options_.interval, stop, [&]() -> Result<void> {
        Reading reading = sample(sink);
        if (reading.values.empty()) return {Errc::not_found, "the sensors went away"};
        if (Result<void> taken = streams_.add(reading, sink.now(), sink); !taken.ok()) {
          if (taken.error().code == Errc::closed) return taken;
          sink.report(options_.stream, taken.error());
        }
        return streams_.flush(sink);
      });
      if (done.ok()) return done;  // anything else is a loss of all sensors: look again
    }
    return {};
  }

 private:
  Reading sample(InputSink& sink) const {
    Reading reading;
    reading.stream = options_.stream;
    std::set<std::string> names, zone_types;
    const auto add = [&](const std::string& name, const std::string& path) {
      if (name.empty()) return;
      // One that does not read keeps its name all the same, or its twin would be taken for it.
      std::string unique = stream_name_from(name);
      for (int n = 2; !names.insert(unique).second; ++n) {
        unique = stream_name_from(name) + "_" + std::to_string(n);
      }
      const std::string text = trimmed_file(path);
      if (text.empty()) return;  // a sensor that is switched off gives EAGAIN or nothing
      const auto milli = parse_integer(text);
      if (!milli) return sink.report(path, {Errc::malformed, excerpt(text) + " is no temperature"});
      reading.add_decimal(unique, *milli, 3, "Cel");
    };
    for (const std::string& zone : numbered(options_.sys + "/class/thermal", "thermal_zone")) {
      std::string type = trimmed_file(zone + "/type");
      add(type, zone + "/temp");
      std::replace(type.begin(), type.end(), '-', '_');  // as the kernel names its hwmon twin
      zone_types.insert(type);
    }
    if (!options_.hwmon) return reading;
    for (const std::string& device : numbered(options_.sys + "/class/hwmon", "hwmon")) {
      const std::string name = trimmed_file(device + "/name");
      if (zone_types.contains(name)) continue;
      for (const std::string& input : numbered(device, "temp", "_input")) {
        const std::string stem = input.substr(0, input.size() - std::string_view("_input").size());
        std::string label = trimmed_file(stem + "_label");
        if (label.empty()) label = stem.substr(stem.rfind('/') + 1);
        add(name + "." + label, input);
      }
    }
    return reading;
  }

  Options options_;
  SelfDefiningStreams streams_;
};

}  // namespace

Result<std::unique_ptr<Input>> make_thermal_input(config::Table& table) {
  ThermalInput::Options options;
  options.stream = stream_key(table, "thermal");
  options.sys = table.text("sys", "/sys");
  options.hwmon = table.boolean("hwmon", true);
  options.interval = interval_key(table, std::chrono::seconds(10));
  return std::unique_ptr<Input>(std::make_unique<ThermalInput>(std::move(options)));
}

}  // namespace dunlin::agent
