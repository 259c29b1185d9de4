#include "tests/bench/pipe/report.h"

#include <sys/resource.h>

#include <chrono>
#include <fstream>
#include <string>

namespace dunlin::bench {
namespace {

// The highest resident set since exec, 0 where /proc is not mounted.
std::int64_t peak_rss_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    std::int64_t kilobytes = 0;
    if (word == "VmHWM:" && status >> kilobytes) return kilobytes * 1024;
  }
  return 0;
}

std::int64_t micros(const timeval& time) {
  return std::int64_t{time.tv_sec} * 1'000'000 + time.tv_usec;
}

}  // namespace

std::int64_t clock_us() {
  // libstdc++'s steady clock is CLOCK_MONOTONIC.
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void Report::event(std::string_view name, std::int64_t at_us, Fields more) {
  write(name, at_us, more, {});
}

void Report::finished(Fields more) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const std::int64_t user = micros(usage.ru_utime), system = micros(usage.ru_stime);
  write("finished", clock_us(),
        {{"peak_rss_bytes", peak_rss_bytes()},
         {"cpu_us", user + system},
         {"user_us", user},
         {"system_us", system}},
        more);
}

void Report::write(std::string_view name, std::int64_t at_us, Fields first, Fields second) {
  std::string line =
      R"({"event":")" + std::string(name) + R"(","clock_us":)" + std::to_string(at_us);
  for (const Fields& fields : {first, second}) {
    for (const auto& [key, value] : fields) {
      line += ",\"" + std::string(key) + "\":" + std::to_string(value);
    }
  }
  line += "}\n";
  const std::lock_guard lock(mutex_);
  std::fwrite(line.data(), 1, line.size(), out_);
  std::fflush(out_);
}

}  // namespace dunlin::bench
