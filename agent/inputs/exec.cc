#include "agent/inputs/exec.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <functional>

#include "agent/inputs/child_program.h"
#include "agent/inputs/files.h"
#include "agent/inputs/line_stream.h"
#include "agent/inputs/schedule.h"
#include "agent/inputs/text.h"

namespace dunlin::agent {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kFailuresMax = 3;
constexpr std::size_t kErrorLineBytesMax = 1024;

// Reads what waits: once, or all that a pipe can hold when its program has ended. Whether more may
// come.
Result<bool> take_output(bool ended, const std::function<Result<ReadState>()>& read) {
  constexpr int kPipeReads = 16;
  for (int reads = ended ? kPipeReads : 1; reads > 0; --reads) {
    DUNLIN_ASSIGN(const ReadState state, read());
    if (state != ReadState::some) return state == ReadState::nothing;
  }
  return true;
}

class ExecInput final : public Input {
 public:
  struct Options {
    std::vector<std::string> command;
    std::optional<std::chrono::microseconds> interval;  // nothing: kept running
    std::optional<std::chrono::microseconds> timeout;
    LineFormat format;
  };
  explicit ExecInput(Options options) : options_(std::move(options)) {}

  Result<void> run(InputSink& sink, std::stop_token stop) override {
    if (!options_.interval) {
      DUNLIN_TRY(unless_closed(run_once(sink, stop)));
      if (stop.stop_requested()) return {};
      return {Errc::not_connected, place() + ": ended"};
    }
    return run_every(*options_.interval, stop, [&]() -> Result<void> {
      Result<void> done = run_once(sink, stop);
      if (done.ok()) failures_ = 0;
      if (done.ok() || done.error().code == Errc::closed) return done;
      if (++failures_ >= kFailuresMax) return done;
      sink.report(place(), done.error());
      return {};
    });
  }

 private:
  const std::string& place() const { return options_.command.front(); }

  // From its start to its end.
  Result<void> run_once(InputSink& sink, const std::stop_token& stop) {
    // One that the kernel did not let go of: never two of them.
    if (running_) {
      DUNLIN_TRY(running_->kill());
      running_.reset();
    }
    DUNLIN_ASSIGN(ChildProgram started, ChildProgram::start(options_.command));
    running_.emplace(std::move(started));
    Result<void> done = listen(*running_, sink, stop);
    DUNLIN_TRY(running_->kill());
    running_.reset();
    return done;
  }

  Result<void> listen(ChildProgram& program, InputSink& sink, const std::stop_token& stop) {
    LineStream lines(options_.format, place(), sink);
    LineSplitter errors(kErrorLineBytesMax);
    const LineSplitter::OnLine on_error = [&](std::uint64_t, Result<std::string_view> line) {
      sink.report(place() + " stderr",
                  line.ok() ? Error{Errc::io, excerpt(line.value())} : line.error());
    };
    const StopEvent event(stop);
    Clock::time_point heard = Clock::now();
    bool more = true, more_errors = true;
    while (!stop.stop_requested()) {
      pollfd waits[] = {{event.fd(), POLLIN, 0},
                        {program.end(), POLLIN, 0},
                        {more ? program.out() : -1, POLLIN, 0},
                        {more_errors ? program.err() : -1, POLLIN, 0}};
      if (poll(waits, 4, wait_ms(program, event, heard)) < 0 && errno != EINTR) {
        return {Errc::io, place() + ": " + last_os_error()};
      }
      // What it said before its end is there to be read after it.
      const std::optional<std::string> end = program.ended();
      if (waits[3].revents != 0 || end) {
        DUNLIN_ASSIGN(more_errors, take_output(end.has_value(), [&] {
                        return read_lines(program.err(), place(), errors, on_error);
                      }));
      }
      if (waits[2].revents != 0 || end) {
        DUNLIN_ASSIGN(more,
                      take_output(end.has_value(), [&] { return lines.read_some(program.out()); }));
        if (!options_.interval) heard = Clock::now();
      }
      if (end) return end->empty() ? Result<void>() : Error{Errc::io, place() + ": " + *end};
      if (options_.timeout && Clock::now() - heard > *options_.timeout) {
        return {Errc::timeout,
                place() + (options_.interval ? ": did not end in time, and was killed"
                                             : ": was silent, and was killed")};
      }
    }
    return {};
  }

  int wait_ms(const ChildProgram& program, const StopEvent& event, Clock::time_point heard) const {
    std::int64_t wait = -1;
    if (options_.timeout) {
      const auto left = heard + *options_.timeout - Clock::now();
      wait =
          std::max<std::int64_t>(std::chrono::ceil<std::chrono::milliseconds>(left).count() + 1, 0);
    }
    for (const int limit : {program.poll_ms(), event.timeout_ms()}) {
      if (limit >= 0 && (wait < 0 || limit < wait)) wait = limit;
    }
    return static_cast<int>(std::min<std::int64_t>(wait, 3'600'000));
  }

  const Options options_;
  std::optional<ChildProgram> running_;
  int failures_ = 0;  // in a row
};

}  // namespace

Result<std::unique_ptr<Input>> make_exec_input(config::Table& table) {
  using namespace std::chrono_literals;
  std::vector<std::string> command = table.texts("command");
  const bool nothing = command.empty() || command.front().empty();
  if (nothing) table.mistake("command", "the program and its arguments: [\"/usr/bin/x\", \"-y\"]");
  std::optional<std::chrono::microseconds> interval, timeout;
  if (table.has("interval")) interval = interval_key(table, 30s);
  if (interval || table.has("timeout")) timeout = table.duration("timeout", 10s);
  if (timeout && (*timeout < 10ms || *timeout > 24h)) {
    table.mistake("timeout", "should be within 10ms to 1d");
  }
  LineFormat format = line_format(table, "exec");
  if (nothing) return Error{Errc::config, table.where("command") + ": missing"};
  return std::unique_ptr<Input>(std::make_unique<ExecInput>(
      ExecInput::Options{std::move(command), interval, timeout, std::move(format)}));
}

}  // namespace dunlin::agent
