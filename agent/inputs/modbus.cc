#include "agent/inputs/modbus.h"

#include <modbus/modbus.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <optional>
#include <set>

#include "agent/inputs/modbus_register.h"
#include "agent/inputs/number.h"
#include "agent/inputs/schedule.h"
#include "agent/inputs/serial_port.h"
#include "agent/inputs/streams.h"
#include "common/base/owned.h"
#include "common/log/limits.h"

namespace dunlin::agent {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::microseconds kPauseMax = std::chrono::minutes(1);

struct TcpAddress {
  std::string host, port = "502";
};

std::optional<TcpAddress> parse_url(std::string_view url) {
  constexpr std::string_view kScheme = "tcp://";
  if (!url.starts_with(kScheme)) return std::nullopt;
  url.remove_prefix(kScheme.size());
  TcpAddress out;
  const std::size_t close = url.starts_with('[') ? url.find(']') : 0;
  if (close == std::string_view::npos) return std::nullopt;
  const std::size_t colon = url.find(':', close);
  if (colon != std::string_view::npos) {
    const auto port = parse_integer(url.substr(colon + 1));
    if (!port || *port < 1 || *port > 65535) return std::nullopt;
    out.port = std::to_string(*port);
  }
  out.host = url.substr(0, colon);
  if (close > 0) out.host = out.host.substr(1, close - 1);
  if (out.host.empty()) return std::nullopt;
  return out;
}

void close_and_free(modbus_t* bus) {
  modbus_close(bus);
  modbus_free(bus);
}
using Bus = Owned<modbus_t, close_and_free>;

// What a failed request means.
enum class Failure {
  refused,  // the slave answered that it would not
  away,     // it did not answer, or not so that one could believe it
  broken,   // so is the connection
};

Failure failure_of(int error) {
  if (error == EMBXGPATH || error == EMBXGTAR) return Failure::away;  // a gateway says so
  if (error > MODBUS_ENOBASE && error < EMBBADCRC) return Failure::refused;
  return error == ETIMEDOUT || error >= EMBBADCRC ? Failure::away : Failure::broken;
}

Error to_error(int error, const std::string& where) {
  return {error == ETIMEDOUT ? Errc::timeout : Errc::io, where + ": " + modbus_strerror(error)};
}

class ModbusInput final : public Input {
 public:
  struct Options {
    std::string stream;
    std::optional<TcpAddress> tcp;  // else
    SerialPort serial;
    std::chrono::microseconds interval, timeout;
    std::vector<ModbusRegister> registers;
  };
  explicit ModbusInput(Options options)
      : options_(std::move(options)), requests_(plan_requests(options_.registers)) {
    schema_.name = options_.stream;
    for (const ModbusRegister& reg : options_.registers) schema_.fields.push_back(reg.field);
  }

  Result<void> run(InputSink& sink, std::stop_token stop) override {
    slaves_.clear();
    DUNLIN_TRY(open());
    Result<void> done = run_every(options_.interval, stop, [&] { return sample(sink, stop); });
    bus_.reset();
    return done;
  }

 private:
  // A slave that does not answer.
  struct Slave {
    Clock::time_point ask_at;
    std::chrono::microseconds pause{0};  // 0: it answers
  };

  std::string place() const {
    return options_.tcp ? options_.tcp->host + ":" + options_.tcp->port : options_.serial.path;
  }

  Result<void> open() {
    const SerialPort& line = options_.serial;
    bus_.reset(options_.tcp
                   ? modbus_new_tcp_pi(options_.tcp->host.c_str(), options_.tcp->port.c_str())
                   : modbus_new_rtu(line.path.c_str(), line.baud, line.parity, line.data_bits,
                                    line.stop_bits));
    if (!bus_) return to_error(errno, place());
    const auto seconds = static_cast<std::uint32_t>(options_.timeout.count() / 1'000'000);
    const auto micros = static_cast<std::uint32_t>(options_.timeout.count() % 1'000'000);
    modbus_set_response_timeout(bus_.get(), seconds, micros);
    modbus_set_byte_timeout(bus_.get(), seconds, micros);
    if (modbus_connect(bus_.get()) != 0) return to_error(errno, place());
    return {};
  }

  Result<void> sample(InputSink& sink, const std::stop_token& stop) {
    const Stamp stamp = sink.now();
    Rows rows(schema_.fields.size());
    rows.resize(1);
    rows.set_time(0, stamp.time_us);
    bool any = false;
    for (const ModbusRequest& request : requests_) {
      if (stop.stop_requested()) return {};
      Slave& slave = slaves_[request.slave];
      if (slave.ask_at > Clock::now()) continue;
      DUNLIN_ASSIGN(const bool answered, ask(request, slave, rows, sink));
      any = any || answered;
    }
    if (any) return hand_over(sink, schema_, std::move(rows), stamp.since_boot, schema_.name);
    const bool all_away = std::all_of(slaves_.begin(), slaves_.end(), [](const auto& slave) {
      return slave.second.pause.count() > 0;
    });
    if (all_away) return {Errc::not_connected, place() + ": no slave answers"};
    return {};
  }

  // Whether there was an answer with values; an error if nobody can be asked any more. One who
  // breaks the connection each time is left alone, and the next one opens it.
  Result<bool> ask(const ModbusRequest& request, Slave& slave, Rows& rows, InputSink& sink) {
    int error = read_words(request);
    if (error != 0 && failure_of(error) == Failure::broken) {
      DUNLIN_TRY(open());  // idle connections are closed by many
      error = read_words(request);
    }
    const std::string where = place() + " slave " + std::to_string(request.slave);
    if (error != 0) {
      sink.report(where, to_error(error, where));
      if (failure_of(error) != Failure::refused) back_off(slave);
      return false;
    }
    slave.pause = {};
    for (const std::size_t i : request.registers) {
      const ModbusRegister& reg = options_.registers[i];
      const auto at = static_cast<std::size_t>(reg.address - request.address);
      const Result<void> set = set_value(reg, std::span(words_).subspan(at, reg.words()), rows, i);
      if (!set.ok()) sink.report(where, set.error());
    }
    return true;
  }

  // Into words_. Returns 0, or an errno of the system or of libmodbus.
  int read_words(const ModbusRequest& request) {
    if (modbus_set_slave(bus_.get(), request.slave) != 0) return errno;
    modbus_flush(bus_.get());  // a late answer to another one
    std::array<std::uint8_t, MODBUS_MAX_READ_BITS> bits{};
    const auto read_bits = [&](auto* read) {
      const int n = read(bus_.get(), request.address, request.count, bits.data());
      std::copy(bits.begin(), bits.begin() + request.count, words_.begin());
      return n;
    };
    int n = -1;
    switch (request.table) {
      case ModbusTable::coil:
        n = read_bits(modbus_read_bits);
        break;
      case ModbusTable::discrete:
        n = read_bits(modbus_read_input_bits);
        break;
      case ModbusTable::input:
        n = modbus_read_input_registers(bus_.get(), request.address, request.count, words_.data());
        break;
      case ModbusTable::holding:
        n = modbus_read_registers(bus_.get(), request.address, request.count, words_.data());
        break;
    }
    if (n < 0) return errno;
    return n == request.count ? 0 : EMBBADDATA;
  }

  void back_off(Slave& slave) const {
    slave.pause = std::min(std::max(slave.pause * 2, options_.interval),
                           std::max(kPauseMax, options_.interval));
    slave.ask_at = Clock::now() + slave.pause;
  }

  const Options options_;
  const std::vector<ModbusRequest> requests_;
  StreamSchema schema_;
  Bus bus_;
  std::map<int, Slave> slaves_;
  std::array<std::uint16_t, MODBUS_MAX_READ_BITS> words_{};
};

}  // namespace

Result<std::unique_ptr<Input>> make_modbus_input(config::Table& table) {
  using namespace std::chrono_literals;
  ModbusInput::Options options;
  if (table.has("url")) {
    options.tcp = parse_url(table.text("url"));
    if (!options.tcp) table.mistake("url", "should be such as \"tcp://192.168.1.20:502\"");
    if (table.has("port")) table.mistake("port", "an input has `url` or `port`, not both");
  } else {
    options.serial = SerialPort::from(table);
  }
  options.stream = stream_key(table, "modbus");
  options.interval = interval_key(table, 10s);
  options.timeout = table.duration("timeout", 500ms);
  if (options.timeout < 10ms || options.timeout > 10s) {
    table.mistake("timeout", "should be within 10ms to 10s");
  }
  const int slave = ModbusRegister::slave_key(table, 1, options.tcp.has_value());
  std::vector<config::Table> registers = table.tables("register");
  std::set<std::string> fields;
  for (config::Table& each : registers) {
    ModbusRegister reg = ModbusRegister::from(each, slave, options.tcp.has_value());
    if (!fields.insert(reg.field.name).second) each.mistake("field", "a second one of this name");
    options.registers.push_back(std::move(reg));
  }
  if (options.registers.empty() || options.registers.size() > kFieldsMax) {
    table.mistake("register", "1 to 256 of [[input.register]] are needed");
    return Error{Errc::config, table.where("register") + ": none"};
  }
  return std::unique_ptr<Input>(std::make_unique<ModbusInput>(std::move(options)));
}

}  // namespace dunlin::agent
