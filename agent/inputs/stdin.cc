#include "agent/inputs/stdin.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "agent/inputs/files.h"
#include "agent/inputs/lines.h"
#include "agent/inputs/schedule.h"
#include "common/base/stop_event.h"

namespace dunlin::agent {

namespace {

class LinesInput final : public Input {
 public:
  LinesInput(LineFormat format, int fd, std::string place)
      : format_(std::move(format)), fd_(fd), place_(std::move(place)) {}

  Result<void> run(InputSink& sink, std::stop_token stop) override {
    LineIntake intake(format_, sink);
    Result<void> state;
    const LineSplitter::OnLine on_line = [&](std::uint64_t number, Result<std::string_view> line) {
      if (state.ok()) state = intake.take(place_, number, std::move(line));
    };
    const StopEvent event(stop);
    std::string buffer(kLineBytesMax, '\0');
    while (state.ok() && !stop.stop_requested()) {
      pollfd waits[] = {{fd_, POLLIN, 0}, {event.fd(), POLLIN, 0}};
      if (poll(waits, 2, event.timeout_ms()) < 0 && errno != EINTR) {
        return {Errc::io, place_ + ": " + last_os_error()};
      }
      if (stop.stop_requested()) break;
      if (waits[0].revents == 0) continue;
      const ssize_t n = read(fd_, buffer.data(), buffer.size());
      if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (n < 0) return {Errc::io, place_ + ": " + last_os_error()};
      if (n == 0) break;
      lines_.feed(std::string_view(buffer).substr(0, static_cast<std::size_t>(n)), on_line);
      if (state.ok()) state = intake.flush();
    }
    lines_.finish(on_line);
    if (state.ok()) state = intake.flush();
    return unless_closed(state);
  }

 private:
  LineFormat format_;
  int fd_;
  std::string place_;
  LineSplitter lines_{kLineBytesMax};
};

}  // namespace

std::unique_ptr<Input> make_lines_input(LineFormat format, int fd, std::string place) {
  return std::make_unique<LinesInput>(std::move(format), fd, std::move(place));
}

Result<std::unique_ptr<Input>> make_stdin_input(config::Table& table) {
  if (table.choice("format", "json", {"json", "line_protocol"}) == "line_protocol") {
    return make_lines_input(line_protocol_format(table), STDIN_FILENO, "stdin");
  }
  std::string stream = stream_key(table, "stdin");
  return make_lines_input(JsonLinesFormat{JsonReader::from(table, "time"), std::move(stream)},
                          STDIN_FILENO, "stdin");
}

}  // namespace dunlin::agent
