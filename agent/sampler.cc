#include "agent/sampler.h"

#include <algorithm>
#include <condition_variable>
#include <thread>
#include <utility>

#include "common/runtime/node.h"
#include "common/telemetry/log.h"
#include "common/telemetry/rate_limit.h"

namespace dunlin::agent {

namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kRestartFirst = std::chrono::seconds(1);
constexpr auto kRestartMax = std::chrono::seconds(300);
constexpr auto kFirstFlushMax = std::chrono::seconds(5);
constexpr auto kRanWell = std::chrono::minutes(1);  // after that a failure is a new one

std::int64_t seconds_since(Clock::time_point since) {
  return std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - since).count();
}

}  // namespace

// What all inputs write to; an input that hangs may outlive the sampler.
struct Sampler::Books {
  std::mutex mutex;
  api::InputCounts counts;
  RateLimit reports;
};

// One input with its thread, which keeps it alive.
class Sampler::Runner final : public InputSink {
 public:
  Runner(std::string type, std::unique_ptr<Input> input, Database& database,
         std::shared_ptr<Books> books)
      : type_(std::move(type)),
        input_(std::move(input)),
        database_(database),
        books_(std::move(books)) {}

  static void start(const std::shared_ptr<Runner>& self) {
    self->thread_ = std::thread([self] { self->run(); });
  }
  void request_stop() { stop_.request_stop(); }
  void finish(Clock::time_point deadline);

  const std::string& type() const { return type_; }
  void look();
  bool down();

  Stamp now() override;
  Result<void> append(const StreamSchema& schema, Rows rows, bool since_boot) override;
  void report(const std::string& where, const Error& error, std::uint64_t times) override;
  void waiting(std::optional<std::chrono::microseconds> patience) override;

 private:
  void run();
  bool hangs() const { return patience_ && !storing_ && Clock::now() - since_ > *patience_; }
  void refused(const StreamSchema& schema, const Error& error, std::size_t readings);

  const std::string type_;
  const std::unique_ptr<Input> input_;
  Database& database_;  // not to be touched once cut off
  const std::shared_ptr<Books> books_;
  std::stop_source stop_;
  std::thread thread_;
  bool first_ = true;  // of its readings

  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<std::chrono::microseconds> patience_;  // while it waits for its sensor,
  Clock::time_point since_;                            // since then
  bool told_ = false;                                  // that it hangs
  bool failed_ = false;                                // and waits to be started again
  bool storing_ = false;
  bool ended_ = false;
  bool cut_off_ = false;
};

Stamp Sampler::Runner::now() {
  const Moment moment = runtime::Node::now();
  if (moment.synchronised) return {moment.utc, false};
  return {std::chrono::duration_cast<Duration>(moment.mono.time_since_epoch()).count(), true};
}

Result<void> Sampler::Runner::append(const StreamSchema& schema, Rows rows, bool since_boot) {
  {
    const std::lock_guard lock(mutex_);
    if (cut_off_) return {Errc::closed, "the agent has stopped"};
    storing_ = true;
  }
  const std::size_t readings = rows.size();
  const std::stop_token stop = stop_.get_token();
  const Result<void> result = since_boot
                                  ? database_.append_since_boot(schema, std::move(rows), stop)
                                  : database_.append(schema, std::move(rows), stop);
  // Whoever installs a device wants to see that it works.
  if (result.ok() && std::exchange(first_, false)) (void)database_.flush(kFirstFlushMax);
  if (!result.ok() && result.error().code != Errc::closed) {
    refused(schema, result.error(), readings);
  }
  const std::lock_guard lock(mutex_);
  storing_ = false;
  since_ = Clock::now();
  changed_.notify_all();
  return result;
}

void Sampler::Runner::refused(const StreamSchema& schema, const Error& error,
                              std::size_t readings) {
  {
    const std::lock_guard lock(books_->mutex);
    books_->counts.readings_refused[std::string(to_string(error.code))] += readings;
  }
  const auto repeated = books_->reports.pass("refused " + schema.name, runtime::Node::now().mono);
  if (!repeated) return;
  log::warn("readings_refused", {{"stream", schema.name},
                                 {"error", error.message()},
                                 {"readings", readings},
                                 {"repeated", *repeated}});
}

void Sampler::Runner::report(const std::string& where, const Error& error, std::uint64_t times) {
  {
    const std::lock_guard lock(books_->mutex);
    books_->counts.errors[type_] += times;
  }
  if (const auto repeated = books_->reports.pass("input " + type_, runtime::Node::now().mono)) {
    log::warn(
        "input_malformed",
        {{"input", type_}, {"where", where}, {"error", error.message()}, {"repeated", *repeated}});
  }
}

void Sampler::Runner::waiting(std::optional<std::chrono::microseconds> patience) {
  const std::lock_guard lock(mutex_);
  if (told_) log::info("input_answers", {{"input", type_}, {"seconds", seconds_since(since_)}});
  told_ = false;
  patience_ = patience;
  since_ = Clock::now();
}

void Sampler::Runner::look() {
  {
    const std::lock_guard lock(mutex_);
    if (told_ || !hangs()) return;
    told_ = true;
    log::warn("input_hangs", {{"input", type_}, {"seconds", seconds_since(since_)}});
  }
  const std::lock_guard lock(books_->mutex);
  ++books_->counts.errors[type_];
}

bool Sampler::Runner::down() {
  const std::lock_guard lock(mutex_);
  return failed_ || hangs();
}

void Sampler::Runner::run() {
  const std::stop_token stop = stop_.get_token();
  std::chrono::seconds pause = kRestartFirst;
  while (!stop.stop_requested()) {
    const Clock::time_point began = Clock::now();
    const Result<void> result = input_->run(*this, stop);
    if (stop.stop_requested()) break;
    if (result.ok()) {
      log::info("input_ended", {{"input", type_}});
      break;
    }
    if (Clock::now() - began >= kRanWell) pause = kRestartFirst;
    log::warn("input_failed", {{"input", type_},
                               {"error", result.error().message()},
                               {"again_in_seconds", pause.count()}});
    report(type_, result.error(), 1);
    const auto set_failed = [&](bool failed) {
      const std::lock_guard lock(mutex_);
      failed_ = failed;
    };
    set_failed(true);
    if (!wait_for(stop, pause)) break;
    set_failed(false);
    pause = std::min<std::chrono::seconds>(pause * 2, kRestartMax);
  }
  const std::lock_guard lock(mutex_);
  ended_ = true;
  changed_.notify_all();
}

// An append ends soon when stop is requested, and touches the database: it is always waited for.
void Sampler::Runner::finish(Clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, deadline, [&] { return ended_; });
  changed_.wait(lock, [&] { return !storing_; });
  if (ended_) {
    lock.unlock();
    return thread_.join();
  }
  cut_off_ = true;
  log::warn("input_abandoned", {{"input", type_}, {"seconds", seconds_since(since_)}});
  thread_.detach();
}

Sampler::Sampler(Database& database) : database_(database), books_(std::make_shared<Books>()) {}

void Sampler::start(const std::string& type, std::unique_ptr<Input> input) {
  const auto runner = std::make_shared<Runner>(type, std::move(input), database_, books_);
  const std::lock_guard lock(mutex_);
  runners_.push_back(runner);
  Runner::start(runner);
}

void Sampler::look_after() {
  const std::lock_guard lock(mutex_);
  for (const auto& runner : runners_) runner->look();
}

void Sampler::stop(std::chrono::milliseconds patience) {
  const std::lock_guard lock(mutex_);
  for (const auto& runner : runners_) runner->request_stop();
  const Clock::time_point deadline = Clock::now() + patience;
  for (const auto& runner : runners_) runner->finish(deadline);
  runners_.clear();
}

api::InputCounts Sampler::counts() const {
  api::InputCounts counts;
  {
    const std::lock_guard lock(books_->mutex);
    counts = books_->counts;
  }
  const std::lock_guard lock(mutex_);
  for (const auto& runner : runners_) counts.down[runner->type()] += runner->down() ? 1U : 0U;
  return counts;
}

}  // namespace dunlin::agent
