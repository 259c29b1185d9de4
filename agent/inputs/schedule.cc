#include "agent/inputs/schedule.h"

#include "agent/inputs/text.h"

namespace dunlin::agent {

Result<void> unless_closed(Result<void> result) {
  if (!result.ok() && result.error().code == Errc::closed) return {};
  return result;
}

Result<void> run_every(std::chrono::microseconds interval, const std::stop_token& stop,
                       const std::function<Result<void>()>& tick) {
  using Clock = std::chrono::steady_clock;
  Clock::time_point due = Clock::now();
  while (!stop.stop_requested()) {
    if (Result<void> result = tick(); !result.ok()) return unless_closed(result);
    const Clock::time_point now = Clock::now();
    due += ((now - due) / interval + 1) * interval;
    if (!wait_for(stop, std::chrono::ceil<std::chrono::microseconds>(due - now))) break;
  }
  return {};
}

std::string stream_key(config::Table& table, const std::string& fallback) {
  const std::string name = table.text("stream", fallback);
  if (name.empty() || stream_name_from(name) != name) {
    table.mistake("stream", "a stream name is 1 to 128 of A-Z a-z 0-9 _ . : / -");
    return fallback;
  }
  return name;
}

std::chrono::microseconds interval_key(config::Table& table, std::chrono::microseconds fallback) {
  using namespace std::chrono_literals;
  const std::chrono::microseconds interval = table.duration("interval", fallback);
  if (interval < 1ms || interval > 24h * 366) {
    table.mistake("interval", "should be within 1ms to 366d");
    return fallback;
  }
  return interval;
}

}  // namespace dunlin::agent
