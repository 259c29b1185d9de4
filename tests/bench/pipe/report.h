#pragma once

#include <cstdint>
#include <cstdio>
#include <initializer_list>
#include <mutex>
#include <string_view>
#include <utility>

namespace dunlin::bench {

// CLOCK_MONOTONIC in microseconds: comparable between the processes of one machine.
std::int64_t clock_us();

// What a process of the pipe tells its parent, a JSON line each:
//
//   {"event":"durable","clock_us":81234567,"readings":2000000}
//
// Flushed at once; any thread may write.
class Report {
 public:
  using Fields = std::initializer_list<std::pair<std::string_view, std::int64_t>>;

  explicit Report(std::FILE* out) : out_(out) {}

  void event(std::string_view name, std::int64_t at_us, Fields more = {});
  void event(std::string_view name, Fields more = {}) { event(name, clock_us(), more); }
  // {"event":"finished",...} with what the process has used: "peak_rss_bytes" (VmHWM), "cpu_us",
  // "user_us", "system_us", and `more`.
  void finished(Fields more);

 private:
  void write(std::string_view name, std::int64_t at_us, Fields first, Fields second);

  std::FILE* out_;
  std::mutex mutex_;
};

}  // namespace dunlin::bench
