#pragma once

#include <cstdint>
#include <stop_token>
#include <string>

#include "agent/inputs/line_intake.h"
#include "agent/inputs/lines.h"

namespace dunlin::agent {

enum class ReadState { some, nothing, end };

// Feeds `lines` with what one read(2) gives; at the end of the input also with a last line that has
// no end. `io`, its text starting with `place`.
Result<ReadState> read_lines(int fd, const std::string& place, LineSplitter& lines,
                             const LineSplitter::OnLine& on_line);

// Lines that come through a descriptor, on their way into readings. Lines are bounded to 64 KiB;
// the rest of a longer one is discarded and reported. One thread.
class LineStream {
 public:
  // `place` names it in reports.
  LineStream(LineFormat format, std::string place, InputSink& sink)
      : intake_(std::move(format), sink), place_(std::move(place)) {}

  // What comes first may be the end of a line: it is passed over.
  void begin_in_the_middle() { skip_ = true; }

  // Takes what one read(2) gives; `io`, or `closed` when the agent stops.
  Result<ReadState> read_some(int fd);

  // Takes all until the end of the input, or until `stop`.
  Result<void> read_all(int fd, const std::stop_token& stop);

 private:
  LineIntake intake_;
  std::string place_;
  bool skip_ = false;
  LineSplitter lines_{kLineBytesMax};
};

}  // namespace dunlin::agent
