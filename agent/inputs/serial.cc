#include "agent/inputs/serial.h"

#include "agent/inputs/line_stream.h"
#include "agent/inputs/schedule.h"
#include "agent/inputs/serial_port.h"

namespace dunlin::agent {

namespace {

class SerialInput final : public Input {
 public:
  SerialInput(SerialPort port, LineFormat format)
      : port_(std::move(port)), format_(std::move(format)) {}

  Result<void> run(InputSink& sink, std::stop_token stop) override {
    DUNLIN_ASSIGN(const FileDescriptor line, port_.open());
    LineStream lines(format_, port_.path, sink);
    lines.begin_in_the_middle();
    DUNLIN_TRY(unless_closed(lines.read_all(line.get(), stop)));
    if (stop.stop_requested()) return {};
    return {Errc::not_connected, port_.path + ": unplugged"};
  }

 private:
  const SerialPort port_;
  const LineFormat format_;
};

}  // namespace

Result<std::unique_ptr<Input>> make_serial_input(config::Table& table) {
  SerialPort port = SerialPort::from(table);
  return std::unique_ptr<Input>(
      std::make_unique<SerialInput>(std::move(port), line_format(table, "serial")));
}

}  // namespace dunlin::agent
