#include "agent/inputs/line_stream.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "agent/inputs/files.h"
#include "common/base/stop_event.h"

namespace dunlin::agent {

Result<ReadState> read_lines(int fd, const std::string& place, LineSplitter& lines,
                             const LineSplitter::OnLine& on_line) {
  char buffer[4096];
  const ssize_t n = read(fd, buffer, sizeof buffer);
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return ReadState::nothing;
  if (n < 0) return Error{Errc::io, place + ": " + last_os_error()};
  lines.feed(std::string_view(buffer, static_cast<std::size_t>(n)), on_line);
  if (n > 0) return ReadState::some;
  lines.finish(on_line);
  return ReadState::end;
}

Result<ReadState> LineStream::read_some(int fd) {
  Result<void> state;
  const LineSplitter::OnLine on_line = [&](std::uint64_t number, Result<std::string_view> line) {
    if (std::exchange(skip_, false) || !state.ok()) return;
    state = intake_.take(place_, number, std::move(line));
  };
  DUNLIN_ASSIGN(const ReadState read, read_lines(fd, place_, lines_, on_line));
  DUNLIN_TRY(state);
  DUNLIN_TRY(intake_.flush());
  return read;
}

Result<void> LineStream::read_all(int fd, const std::stop_token& stop) {
  const StopEvent event(stop);
  while (!stop.stop_requested()) {
    pollfd waits[] = {{fd, POLLIN, 0}, {event.fd(), POLLIN, 0}};
    if (poll(waits, 2, event.timeout_ms()) < 0 && errno != EINTR) {
      return {Errc::io, place_ + ": " + last_os_error()};
    }
    if (stop.stop_requested() || waits[0].revents == 0) continue;
    DUNLIN_ASSIGN(const ReadState read, read_some(fd));
    if (read == ReadState::end) break;
  }
  return {};
}

}  // namespace dunlin::agent
