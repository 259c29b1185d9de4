#include "agent/inputs/gpio.h"

#include <linux/gpio.h>
#include <unistd.h>

#include <cerrno>

#include "agent/inputs/field_spec.h"
#include "agent/inputs/files.h"
#include "agent/inputs/schedule.h"
#include "agent/inputs/streams.h"

namespace dunlin::agent {

namespace {

using Clock = std::chrono::steady_clock;

class GpioInput final : public Input {
 public:
  GpioInput(GpioOptions options, std::function<Result<FileDescriptor>(const GpioLine&)> request)
      : options_(std::move(options)),
        request_(std::move(request)),
        counters_(options_.lines.size()) {
    schema_.name = options_.stream;
    for (const auto& [field, line] : options_.lines) {
      schema_.fields.push_back({field, FieldType::int64, "1", 0});
      if (options_.rates) schema_.fields.push_back({field + "_rate", FieldType::decimal, "Hz", 3});
    }
  }

  Result<void> run(InputSink& sink, std::stop_token stop) override {
    for (std::size_t i = 0; i < counters_.size(); ++i) {
      counters_[i].events.reset();  // before it is asked for again
      DUNLIN_ASSIGN(counters_[i].events, request_(options_.lines[i].second));
      counters_[i].seen = 0;
    }
    read_at_ = {};
    return run_every(options_.interval, stop, [&] { return sample(sink); });
  }

 private:
  // Of each line the kernel keeps the newest edges, and numbers them from 1 when it is asked for.
  struct Counter {
    FileDescriptor events;
    std::uint32_t seen = 0;  // the number of the last edge
    std::int64_t count = 0;  // since the agent started
  };

  Result<void> sample(InputSink& sink) {
    const Stamp stamp = sink.now();
    const Clock::time_point now = Clock::now();
    const auto elapsed = std::chrono::duration_cast<std::chrono::microseconds>(now - read_at_);
    Rows rows(schema_.fields.size());
    rows.begin_row(stamp.time_us);
    for (std::size_t i = 0; i < counters_.size(); ++i) {
      DUNLIN_ASSIGN(const std::uint32_t fresh, count(counters_[i], options_.lines[i].second));
      rows.add_integer(counters_[i].count);
      if (!options_.rates) continue;
      if (read_at_ == Clock::time_point() || elapsed.count() <= 0) {
        rows.add_missing();
      } else {
        rows.add_integer(fresh * std::int64_t{1'000'000'000} / elapsed.count());
      }
    }
    read_at_ = now;
    return hand_over(sink, schema_, std::move(rows), stamp.since_boot, schema_.name);
  }

  // Edges since it was last asked.
  static Result<std::uint32_t> count(Counter& counter, const GpioLine& line) {
    gpio_v2_line_event events[16];
    std::uint32_t last = counter.seen;
    for (;;) {
      const ssize_t n = read(counter.events.get(), events, sizeof events);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EAGAIN) break;
      if (n <= 0) {
        return Error{Errc::io, line.chip + " line " + line.line + ": " +
                                   (n < 0 ? last_os_error() : "no more events")};
      }
      const auto whole = static_cast<std::size_t>(n) / sizeof events[0];
      if (whole > 0) last = events[whole - 1].line_seqno;
    }
    const std::uint32_t fresh = last - counter.seen;  // modulo 2^32, as the kernel counts
    counter.seen = last;
    counter.count += fresh;
    return fresh;
  }

  const GpioOptions options_;
  const std::function<Result<FileDescriptor>(const GpioLine&)> request_;
  StreamSchema schema_;
  std::vector<Counter> counters_;
  Clock::time_point read_at_;
};

}  // namespace

std::unique_ptr<Input> make_gpio_input(
    GpioOptions options, std::function<Result<FileDescriptor>(const GpioLine&)> request) {
  return std::make_unique<GpioInput>(std::move(options), std::move(request));
}

Result<std::unique_ptr<Input>> make_gpio_input(config::Table& table) {
  using namespace std::chrono_literals;
  GpioLine line;
  line.chip = table.text("chip", "/dev/gpiochip0");
  const std::string edge = table.choice("edge", "rising", {"rising", "falling", "both"});
  if (edge == "falling") line.edge = GpioLine::Edge::falling;
  if (edge == "both") line.edge = GpioLine::Edge::both;
  const std::string bias =
      table.choice("bias", "as_is", {"as_is", "pull_up", "pull_down", "disabled"});
  if (bias == "pull_up") line.bias = GpioLine::Bias::pull_up;
  if (bias == "pull_down") line.bias = GpioLine::Bias::pull_down;
  if (bias == "disabled") line.bias = GpioLine::Bias::disabled;
  const std::chrono::microseconds debounce = table.duration("debounce", 0us);
  if (debounce > 10s) table.mistake("debounce", "should be at most 10s");
  line.debounce_us = static_cast<std::uint32_t>(debounce.count());

  GpioOptions options;
  options.stream = stream_key(table, "gpio");
  options.interval = interval_key(table, 10s);
  options.rates = table.boolean("rates", false);
  config::Table lines = table.table("lines");
  for (const auto& [field, name] : lines.text_pairs()) {
    if (const Result<void> right = check_field_name(field); !right.ok()) {
      lines.mistake(field, right.error().context);
    }
    if (name.empty()) lines.mistake(field, "should be the number or name of a line");
    line.line = name;
    options.lines.emplace_back(field, line);
  }
  if (options.lines.empty()) {
    table.mistake("lines", "at least one line is needed: [input.lines] rain = \"17\"");
    return Error{Errc::config, table.where("lines") + ": none"};
  }
  if (options.lines.size() > 64) table.mistake("lines", "at most 64 lines");
  return make_gpio_input(std::move(options), request_gpio_line);
}

}  // namespace dunlin::agent
