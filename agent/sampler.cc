#include "agent/sampler.h"

#include <algorithm>
#include <utility>

#include "common/runtime/node.h"
#include "common/telemetry/log.h"

namespace dunlin::agent {

namespace {
constexpr auto kRestartFirst = std::chrono::seconds(1);
constexpr auto kRestartMax = std::chrono::seconds(300);
constexpr auto kFirstFlushMax = std::chrono::seconds(5);
}  // namespace

class Sampler::Sink final : public InputSink {
 public:
  Sink(Sampler& sampler, std::string type, std::stop_token stop)
      : sampler_(sampler), type_(std::move(type)), stop_(std::move(stop)) {}

  Stamp now() override {
    const Moment moment = runtime::Node::now();
    if (moment.synchronised) return {moment.utc, false};
    return {std::chrono::duration_cast<Duration>(moment.mono.time_since_epoch()).count(), true};
  }

  Result<void> append(const StreamSchema& schema, Rows rows, bool since_boot) override {
    const std::size_t readings = rows.size();
    Result<void> result = since_boot
                              ? sampler_.database_.append_since_boot(schema, std::move(rows), stop_)
                              : sampler_.database_.append(schema, std::move(rows), stop_);
    // Whoever installs a device wants to see that it works.
    if (result.ok() && std::exchange(first_, false)) (void)sampler_.database_.flush(kFirstFlushMax);
    if (!result.ok() && result.error().code != Errc::closed) {
      {
        const std::lock_guard lock(sampler_.mutex_);
        sampler_.counts_.readings_refused[std::string(to_string(result.error().code))] += readings;
      }
      const auto repeated =
          sampler_.reports_.pass("refused " + schema.name, runtime::Node::now().mono);
      if (repeated) {
        log::warn("readings_refused", {{"stream", schema.name},
                                       {"error", result.error().message()},
                                       {"readings", readings},
                                       {"repeated", *repeated}});
      }
    }
    return result;
  }

  void report(const std::string& where, const Error& error, std::uint64_t times) override {
    {
      const std::lock_guard lock(sampler_.mutex_);
      sampler_.counts_.errors[type_] += times;
    }
    if (const auto repeated = sampler_.reports_.pass("input " + type_, runtime::Node::now().mono)) {
      log::warn("input_malformed", {{"input", type_},
                                    {"where", where},
                                    {"error", error.message()},
                                    {"repeated", *repeated}});
    }
  }

 private:
  Sampler& sampler_;
  std::string type_;
  std::stop_token stop_;
  bool first_ = true;  // of its readings
};

void Sampler::start(std::string type, std::unique_ptr<Input> input) {
  Input& running = *input;
  inputs_.push_back(std::move(input));
  threads_.emplace_back([this, type = std::move(type), &running](std::stop_token stop) {
    run(type, running, std::move(stop));
  });
}

void Sampler::run(const std::string& type, Input& input, std::stop_token stop) {
  Sink sink(*this, type, stop);
  std::chrono::seconds wait = kRestartFirst;
  while (!stop.stop_requested()) {
    const Result<void> result = input.run(sink, stop);
    if (stop.stop_requested()) return;
    if (result.ok()) {
      log::info("input_ended", {{"input", type}});
      return;
    }
    log::warn(
        "input_failed",
        {{"input", type}, {"error", result.error().message()}, {"again_in_seconds", wait.count()}});
    sink.report(type, result.error(), 1);
    if (!wait_for(stop, wait)) return;
    wait = std::min<std::chrono::seconds>(wait * 2, kRestartMax);
  }
}

void Sampler::stop() {
  for (std::jthread& thread : threads_) thread.request_stop();
  threads_.clear();
  inputs_.clear();
}

api::InputCounts Sampler::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

}  // namespace dunlin::agent
