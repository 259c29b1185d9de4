#include "tests/bench/firmware.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "cli/image/files.h"
#include "tests/bench/device.h"
#include "tests/bench/figures.h"
#include "tests/support/eventually.h"
#include "tests/support/fleet.h"

namespace dunlin::bench {

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr const char* kOneHertz = "[[input]]\ntype = \"model\"\nperiod = \"1s\"\n";
constexpr double kHour = 3600, kDay = 24 * kHour, kYear = 365 * kDay;
constexpr std::chrono::seconds kWarmUp{60};       // of the clock on the wall
constexpr std::chrono::seconds kLongWarmUp{600};  // of the device's, which runs ahead
// The device's clock counts its instructions, and leaps to the next timer when it waits: hours in
// minutes. 500 million a second are about what a small processor gets through.
const std::vector<std::string> kAhead = {"--", "-icount", "shift=1,sleep=off", "-rtc", "clock=vm"};
constexpr double kInstruction = 2e-9;  // seconds, by that shift

// A card of consumer flash bears to be erased so often, and writes that much more than it is told
// when writes are small.
constexpr double kCardBytes = 16e9, kCardErasures = 1000, kCardAmplification = 10;
constexpr const char* kCard = "16 GB x 1000 erasures / 10 (within the card) / written bytes";

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// What appears on the console on the way to the first reading.
const std::pair<const char*, const char*> kSteps[] = {
    {"boot_to_kernel", "Starting kernel"},      {"boot_to_user_space", "measured: init"},
    {"boot_to_services", "measured: started"},  {"boot_to_address", "network: "},
    {"boot_to_agent_started", "event=started"}, {"boot_to_broker", "event=broker_connected"},
};
constexpr const char *kFirstReading = "boot_to_first_replicated_reading", *kAnswer = "answer";

struct Window {
  Usage first, last;
  double readings = 0;  // that the gateway got meanwhile
  double per_second(double Usage::*field) const { return (last.*field - first.*field) / seconds(); }
  double seconds() const { return last.uptime - first.uptime; }
};

class Bench {
 public:
  Bench(const FirmwareOptions& options, test::Fleet& fleet)
      : options_(options), fleet_(fleet), gateway_(fleet.add_gateway()) {}

  Result<void> run_all() {
    DUNLIN_TRY(fleet_.start());
    if (wanted("sizes")) DUNLIN_TRY(sizes());
    if (wanted("boot")) DUNLIN_TRY(boots());
    if (wanted("live")) {
      DUNLIN_TRY(live("idle", false));
      DUNLIN_TRY(live("1hz", true));
    }
    if (!wanted("writes")) return {};
    DUNLIN_TRY(ahead("idle_ahead", "", {}));
    DUNLIN_TRY(ahead("flush_1s", "1s", {}));
    DUNLIN_TRY(ahead("flush_5s", "5s", 2e3));
    return ahead("flush_60s", "60s", 200.0);
  }

 private:
  bool wanted(const std::string& part) const {
    return std::ranges::find(options_.parts, part) != options_.parts.end();
  }
  void add(const std::string& name, double value, const std::string& unit,
           const std::string& mode = {}, std::optional<double> bound = {}) const {
    print({.figure = name,
           .value = value,
           .unit = unit,
           .system = "dunlin",
           .mode = mode,
           .bound = bound,
           .profile = options_.profile});
  }
  // Of readings that arrive: what was sampled, or something is wrong.
  void add_rate(const Window& window, const std::string& mode) const {
    print({.figure = "readings_per_second",
           .value = window.readings / window.seconds(),
           .unit = "1/s",
           .system = "dunlin",
           .mode = mode,
           .higher_is_better = true,
           .profile = options_.profile});
  }
  void add_written(const Window& window, const std::string& mode,
                   std::optional<double> bound) const {
    add("written_bytes_per_reading", (window.last.written - window.first.written) / window.readings,
        "B", mode, bound);
  }

  // ---- sizes ----

  Result<void> sizes() {
    const std::string file = folder_.file("image.img.xz");
    DUNLIN_ASSIGN(const image::BuiltImage built, Device::image_of(options_.profile, file));
    fs::remove(file);
    add("image_bytes", static_cast<double>(built.size), "B", {}, 24e6);
    for (const image::Manifest::Part& part : built.manifest.parts)
      add(part.name + "_bytes", static_cast<double>(part.size), "B");
    for (const std::string name : {"dunlin-agent", "dunlin", "dunlin-supervisor"}) {
      DUNLIN_ASSIGN(const std::uint64_t size,
                    image::size_of(Device::programs_of(options_.profile) + "/" + name));
      print({.figure = "program_bytes",
             .value = static_cast<double>(size),
             .unit = "B",
             .system = "dunlin",
             .side = name,
             .profile = options_.profile});
    }
    return {};
  }

  // ---- boot ----

  // Seconds from its start until each of kSteps and its first reading at the gateway, or until a
  // bare one has its answer.
  Result<std::map<std::string, double>> boot(Device& device, const std::string& name) {
    std::map<std::string, double> seen;
    const auto began = Clock::now();
    const auto now = [&] { return std::chrono::duration<double>(Clock::now() - began).count(); };
    DUNLIN_TRY(device.machine().start());
    const bool done = test::eventually(
        [&] {
          const std::string console = device.machine().console();
          for (const auto& [step, text] : kSteps)
            if (!seen.contains(step) && console.find(text) != std::string::npos) seen[step] = now();
          if (console.find("measured: answered") != std::string::npos) seen[kAnswer] = now();
          if (held(name) > 0) seen[kFirstReading] = now();
          return seen.contains(kAnswer) || seen.contains(kFirstReading) ||
                 !device.machine().running();
        },
        test::kBoot);
    const std::string console = device.machine().console();
    device.machine().cut_power();
    if (done && (seen.contains(kAnswer) || seen.contains(kFirstReading))) return seen;
    return {Errc::timeout, name + " does not get there:\n" + console};
  }

  Result<void> boots() {
    std::map<std::string, std::vector<double>> all;
    const auto take = [&](const std::map<std::string, double>& seen) {
      for (const auto& [step, seconds] : seen) all[step].push_back(seconds);
    };
    for (int i = 0; i < options_.boots; ++i) {
      const std::string name = "boot-" + std::to_string(i);
      DUNLIN_ASSIGN(const std::string bundle, fleet_.admit({.name = name}));
      DUNLIN_ASSIGN(
          auto device,
          Device::make({.profile = options_.profile, .bundle = bundle, .settings = kOneHertz}));
      DUNLIN_ASSIGN(const auto seen, boot(*device, name));
      take(seen);
      DUNLIN_ASSIGN(auto bare, Device::make({.profile = options_.profile,
                                             .bare_port = fleet_.broker().port()}));
      DUNLIN_ASSIGN(const auto answered, boot(*bare, "bare"));
      take(answered);
    }
    for (const auto& [step, text] : kSteps)
      if (all.contains(step)) add(step, median(all[step]), "s");
    add(kFirstReading, median(all[kFirstReading]), "s");
    print({.figure = "boot_to_first_byte",
           .value = median(all[kAnswer]),
           .unit = "s",
           .system = "bare_initramfs",
           .profile = options_.profile});
    print({.figure = "times_the_bare_initramfs",
           .value = median(all[kFirstReading]) / median(all[kAnswer]),
           .unit = "1",
           .system = "dunlin/bare_initramfs",
           .bound = 3.0,
           .profile = options_.profile});
    return {};
  }

  // ---- while it runs ----

  // Entries of samples that the gateway has of a device.
  std::uint64_t held(const std::string& name) const {
    std::uint64_t entries = 0;
    for (const auto& node : gateway_.get_json("/v1/nodes").value("nodes", nlohmann::json())) {
      if (node.value("name", "") != name) continue;
      for (const auto& log : node["logs"])
        if (log["track"] != 0) entries += log["complete"].get<std::uint64_t>();
    }
    return entries;
  }
  std::string node(const std::string& name) const {
    for (const auto& each : gateway_.get_json("/v1/nodes").value("nodes", nlohmann::json()))
      if (each.value("name", "") == name) return each["node"];
    return "none";
  }

  // Between the two reports of a device.
  Result<Window> measure(Device& device, const std::string& name,
                         const std::vector<std::string>& qemu) {
    constexpr std::chrono::minutes kPatience{20};
    std::vector<Usage> usages;
    std::int64_t readings[2] = {0, 0};
    DUNLIN_TRY(device.machine().start(qemu));
    for (std::size_t i = 0; i < 2; ++i) {
      test::eventually(
          [&] {
            usages = read_usages(device.machine().console());
            return usages.size() > i || !device.machine().running();
          },
          options_.live + options_.window + kPatience);
      readings[i] = gateway_.readings(node(name));
    }
    const std::string console = device.machine().console();
    device.machine().cut_power();
    if (usages.size() < 2 || usages[0].pid != usages[1].pid)
      return {Errc::timeout, name + " does not run through:\n" + console};
    return Window{usages[0], usages[1], static_cast<double>(readings[1] - readings[0])};
  }

  // A log of so many readings, whose gateway has them, as the device's own.
  Result<void> fill(Device& device, test::Member& agent) {
    DUNLIN_TRY(agent.start());
    const auto wanted = static_cast<std::int64_t>(options_.readings);
    if (!test::eventually([&] { return gateway_.readings(agent.node()) >= wanted; },
                          std::chrono::minutes(2)))
      return {Errc::timeout, "the gateway does not get the readings"};
    if (agent.stop() != 0) return {Errc::io, agent.log()};
    return device.put_data(fs::path(agent.data_dir()).parent_path().string());
  }

  Result<void> live(const std::string& mode, bool sampling) {
    const std::string name = "live-" + mode;
    fs::create_directories(folder_.file(name));
    test::Member& agent =
        fleet_.add_agent(name, {.more = "[[input]]\ntype = \"model\"\nspeed = 0\nreadings = " +
                                        std::to_string(options_.readings) + "\n",
                                .data_dir = folder_.file(name) + "/agent"});
    DUNLIN_ASSIGN(auto device, Device::make({.profile = options_.profile,
                                             .bundle = fleet_.folder().file(name + ".bundle"),
                                             .settings = sampling ? kOneHertz : "",
                                             .inputs = sampling,
                                             .warm_up = kWarmUp,
                                             .window = options_.live}));
    DUNLIN_TRY(fill(*device, agent));
    DUNLIN_ASSIGN(const Window window, measure(*device, name, {}));
    DUNLIN_ASSIGN(const std::int64_t in_log, device->machine().readings_on_disk(folder_));
    add("readings_in_log", static_cast<double>(in_log), "1", mode);
    add_rate(window, mode);
    add("wakeups_per_second", window.per_second(&Usage::wakeups), "1/s", mode,
        sampling ? std::optional(6.0) : std::nullopt);
    add("cpu_seconds_per_hour", window.per_second(&Usage::cpu) * kHour, "s", mode);
    if (sampling) add_written(window, mode, {});
    const Usage& usage = window.last;
    add("rss_bytes", usage.resident, "B", mode, 12e6);
    add("private_dirty_bytes", usage.private_dirty, "B", mode, 4e6);
    add("private_clean_bytes", usage.private_clean, "B", mode);
    add("private_bytes", usage.private_dirty + usage.private_clean, "B", mode);
    for (const auto& [file, bytes] : usage.clean_of)
      add("private_clean_bytes of " + file, bytes, "B", mode);
    return {};
  }

  // With a clock that runs ahead.
  Result<void> ahead(const std::string& mode, const std::string& flush_interval,
                     std::optional<double> bound) {
    const bool sampling = !flush_interval.empty();
    DUNLIN_ASSIGN(const std::string bundle, fleet_.admit({.name = mode}));
    DUNLIN_ASSIGN(auto device, Device::make({.profile = options_.profile,
                                             .bundle = bundle,
                                             .flush_interval = flush_interval,
                                             .settings = sampling ? kOneHertz : "",
                                             .inputs = sampling,
                                             .warm_up = kLongWarmUp,
                                             .window = options_.window}));
    DUNLIN_ASSIGN(const Window window, measure(*device, mode, kAhead));
    const double written = window.per_second(&Usage::written);
    add_rate(window, mode);
    if (sampling) add_written(window, mode, bound);
    add("written_bytes_per_day", written * kDay, "B", mode);
    if (written > 0)
      print({.figure = "card_years",
             .value = kCardBytes * kCardErasures / kCardAmplification / written / kYear,
             .unit = "years",
             .system = "dunlin",
             .mode = mode,
             .higher_is_better = true,
             .profile = options_.profile,
             .note = kCard});
    add("instructions_per_hour", window.per_second(&Usage::cpu) * kHour / kInstruction, "1", mode);
    return {};
  }

  const FirmwareOptions& options_;
  test::Fleet& fleet_;
  test::Member& gateway_;
  test::TempDir folder_;
};

}  // namespace

Result<void> run_firmware(const FirmwareOptions& options) {
  // A device knows this machine by another address than we do.
  DUNLIN_ASSIGN(test::Fleet::Secured secured, test::Fleet::secure({"10.0.2.2", "127.0.0.1"}));
  test::Fleet fleet(std::move(secured));
  return Bench(options, fleet).run_all();
}

}  // namespace dunlin::bench
