#include "agent/inputs/stdin.h"

#include <unistd.h>

#include "agent/inputs/line_stream.h"
#include "agent/inputs/schedule.h"

namespace dunlin::agent {

namespace {

class LinesInput final : public Input {
 public:
  LinesInput(LineFormat format, int fd, std::string place)
      : format_(std::move(format)), fd_(fd), place_(std::move(place)) {}

  Result<void> run(InputSink& sink, std::stop_token stop) override {
    LineStream lines(format_, place_, sink);
    return unless_closed(lines.read_all(fd_, stop));
  }

 private:
  const LineFormat format_;
  const int fd_;
  const std::string place_;
};

}  // namespace

std::unique_ptr<Input> make_lines_input(LineFormat format, int fd, std::string place) {
  return std::make_unique<LinesInput>(std::move(format), fd, std::move(place));
}

Result<std::unique_ptr<Input>> make_stdin_input(config::Table& table) {
  return make_lines_input(line_format(table, "stdin"), STDIN_FILENO, "stdin");
}

}  // namespace dunlin::agent
