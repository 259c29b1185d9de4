#include "agent/inputs/host.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <optional>
#include <sstream>

#include "agent/inputs/files.h"
#include "agent/inputs/number.h"
#include "agent/inputs/schedule.h"
#include "agent/inputs/streams.h"

namespace dunlin::agent {

namespace {

using Integer = std::optional<std::int64_t>;

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream in(line);
  std::vector<std::string> out;
  for (std::string word; in >> word;) out.push_back(std::move(word));
  return out;
}

// The lines of a file as words; none when it cannot be read.
std::vector<std::vector<std::string>> lines_of(const std::string& path) {
  std::vector<std::vector<std::string>> out;
  const Result<std::string> text = read_small_file(path);
  if (!text.ok()) return out;
  std::istringstream in(text.value());
  for (std::string line; std::getline(in, line);) out.push_back(words_of(line));
  return out;
}

std::int64_t number_at(const std::vector<std::string>& words, std::size_t at) {
  return at < words.size() ? parse_integer(words[at]).value_or(0) : 0;
}

void add(Rows& rows, const Integer& value) {
  if (value) {
    rows.add_integer(*value);
  } else {
    rows.add_missing();
  }
}

struct CpuTicks {
  std::int64_t user = 0, system = 0, idle = 0;
};

// "cpu user nice system idle iowait irq softirq steal ..."; guest time is part of user.
std::optional<CpuTicks> read_cpu(const std::string& proc) {
  for (const auto& words : lines_of(proc + "/stat")) {
    if (words.empty() || words[0] != "cpu") continue;
    CpuTicks ticks;
    ticks.user = number_at(words, 1) + number_at(words, 2);
    ticks.system =
        number_at(words, 3) + number_at(words, 6) + number_at(words, 7) + number_at(words, 8);
    ticks.idle = number_at(words, 4) + number_at(words, 5);
    return ticks;
  }
  return std::nullopt;
}

void add_loads(Rows& rows, const std::string& proc) {
  const auto lines = lines_of(proc + "/loadavg");
  for (std::size_t i = 0; i < 3; ++i) {
    std::optional<DecimalNumber> load;
    if (!lines.empty() && i < lines[0].size()) load = parse_decimal(lines[0][i]);
    add(rows, load ? to_mantissa(*load, 2) : Integer());
  }
}

void add_memory(Rows& rows, const std::string& proc) {
  Integer total, available;
  for (const auto& words : lines_of(proc + "/meminfo")) {
    if (words.empty()) continue;
    if (words[0] == "MemTotal:") total = number_at(words, 1) * 1024;
    if (words[0] == "MemAvailable:") available = number_at(words, 1) * 1024;
  }
  add(rows, total);
  add(rows, available);
  add(rows, total && available ? Integer(*total - *available) : Integer());
}

// "  eth0: rx_bytes packets errs drop fifo frame compressed multicast tx_bytes ..."
void add_network(Rows& rows, const std::string& proc) {
  Integer received, sent;
  const Result<std::string> text = read_small_file(proc + "/net/dev");
  std::istringstream in(text.ok() ? text.value() : "");
  for (std::string line; std::getline(in, line);) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const auto name = words_of(line.substr(0, colon));
    const auto counters = words_of(line.substr(colon + 1));
    if (name.empty() || name[0] == "lo" || counters.size() < 9) continue;
    received = received.value_or(0) + number_at(counters, 0);
    sent = sent.value_or(0) + number_at(counters, 8);
  }
  add(rows, received);
  add(rows, sent);
}

bool all_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// sda1 beside sda, nvme0n1p2 beside nvme0n1.
bool is_partition_of(std::string_view name, std::string_view disk) {
  if (name.size() <= disk.size() || !name.starts_with(disk)) return false;
  std::string_view rest = name.substr(disk.size());
  if (rest.starts_with('p')) rest.remove_prefix(1);
  return all_digits(rest);
}

// Stacked and virtual devices would count the same bytes again.
bool is_virtual(std::string_view name) {
  constexpr std::string_view kPrefixes[] = {"loop", "ram", "zram", "dm-", "md"};
  return std::any_of(std::begin(kPrefixes), std::end(kPrefixes),
                     [&](std::string_view prefix) { return name.starts_with(prefix); });
}

// "8 0 sda reads merged sectors_read ms writes merged sectors_written ..."; a sector is 512 bytes.
void add_disks(Rows& rows, const std::string& proc) {
  const auto lines = lines_of(proc + "/diskstats");
  Integer read_bytes, written_bytes;
  for (const auto& words : lines) {
    if (words.size() < 10 || is_virtual(words[2])) continue;
    const bool partition = std::any_of(lines.begin(), lines.end(), [&](const auto& other) {
      return other.size() > 2 && is_partition_of(words[2], other[2]);
    });
    if (partition) continue;
    read_bytes = read_bytes.value_or(0) + number_at(words, 5) * 512;
    written_bytes = written_bytes.value_or(0) + number_at(words, 9) * 512;
  }
  add(rows, read_bytes);
  add(rows, written_bytes);
}

StreamSchema schema_of(const std::string& stream) {
  const auto percent = [](const char* name) { return Field{name, FieldType::decimal, "%", 2}; };
  const auto load = [](const char* name) { return Field{name, FieldType::decimal, "1", 2}; };
  const auto bytes = [](const char* name) { return Field{name, FieldType::int64, "By", 0}; };
  return {stream,
          {percent("cpu_user"), percent("cpu_system"), percent("cpu_idle"), load("load_1"),
           load("load_5"), load("load_15"), bytes("memory_total"), bytes("memory_available"),
           bytes("memory_used"), bytes("network_rx"), bytes("network_tx"), bytes("disk_read"),
           bytes("disk_write"), bytes("disk_free")}};
}

class HostInput final : public Input {
 public:
  struct Options {
    std::string stream, proc, disk_path;
    std::chrono::microseconds interval;
  };
  explicit HostInput(Options options)
      : options_(std::move(options)), schema_(schema_of(options_.stream)) {}

  Result<void> run(InputSink& sink, std::stop_token stop) override {
    last_cpu_.reset();
    return run_every(options_.interval, stop, [&] {
      const Stamp stamp = sink.now();
      Rows rows(schema_.fields.size());
      rows.begin_row(stamp.time_us);
      sample(sink, rows);
      return hand_over(sink, schema_, std::move(rows), stamp.since_boot, schema_.name);
    });
  }

 private:
  void sample(InputSink& sink, Rows& rows) {
    const SensorWait wait(sink, options_.interval);
    add_cpu(rows);
    add_loads(rows, options_.proc);
    add_memory(rows, options_.proc);
    add_network(rows, options_.proc);
    add_disks(rows, options_.proc);
    struct statvfs disk {};
    const bool known = statvfs(options_.disk_path.c_str(), &disk) == 0;
    add(rows,
        known ? Integer(static_cast<std::int64_t>(disk.f_bavail * disk.f_frsize)) : Integer());
  }

  void add_cpu(Rows& rows) {
    const auto now = read_cpu(options_.proc);
    Integer user, system, idle;
    if (now && last_cpu_) {
      const CpuTicks spent{now->user - last_cpu_->user, now->system - last_cpu_->system,
                           now->idle - last_cpu_->idle};
      const std::int64_t total = spent.user + spent.system + spent.idle;
      // Counters of idle time may run backwards a little; such a reading says nothing.
      if (total > 0 && spent.user >= 0 && spent.system >= 0 && spent.idle >= 0) {
        user = spent.user * 10000 / total;
        system = spent.system * 10000 / total;
        idle = 10000 - *user - *system;
      }
    }
    last_cpu_ = now;
    add(rows, user);
    add(rows, system);
    add(rows, idle);
  }

  Options options_;
  StreamSchema schema_;
  std::optional<CpuTicks> last_cpu_;
};

}  // namespace

Result<std::unique_ptr<Input>> make_host_input(config::Table& table) {
  HostInput::Options options;
  options.stream = stream_key(table, "host");
  options.proc = table.text("proc", "/proc");
  options.disk_path = table.text("disk_path", "/");
  options.interval = interval_key(table, std::chrono::seconds(10));
  return std::unique_ptr<Input>(std::make_unique<HostInput>(std::move(options)));
}

}  // namespace dunlin::agent
