#include <condition_variable>
#include <map>
#include <mutex>

#include "agent/inputs/csv.h"
#include "agent/inputs/exec.h"
#include "agent/inputs/gpio.h"
#include "agent/inputs/host.h"
#include "agent/inputs/hwmon.h"
#include "agent/inputs/iio.h"
#include "agent/inputs/input.h"
#include "agent/inputs/line_socket.h"
#include "agent/inputs/line_udp.h"
#include "agent/inputs/modbus.h"
#include "agent/inputs/model.h"
#include "agent/inputs/mqtt.h"
#include "agent/inputs/serial.h"
#include "agent/inputs/stdin.h"
#include "agent/inputs/thermal.h"
#include "agent/inputs/w1.h"

namespace dunlin::agent {

namespace {

// The same lines by two roads.
Result<std::unique_ptr<Input>> make_line_protocol_input(config::Table& table) {
  if (!table.has("listen")) return make_line_socket_input(table);
  if (table.has("socket")) table.mistake("listen", "an input has `socket` or `listen`, not both");
  return make_line_udp_input(table);
}

struct Registry {
  std::mutex mutex;
  std::map<std::string, InputFactory> factories = {
      {"csv", make_csv_input},
      {"exec", make_exec_input},
      {"gpio", [](config::Table& table) { return make_gpio_input(table); }},
      {"host", make_host_input},
      {"hwmon", make_hwmon_input},
      {"iio", make_iio_input},
      {"line_protocol", make_line_protocol_input},
      {"modbus", make_modbus_input},
      {"model", make_model_input},
      {"mqtt", make_mqtt_input},
      {"serial", make_serial_input},
      {"stdin", make_stdin_input},
      {"thermal", make_thermal_input},
      {"w1", make_w1_input},
  };
};

Registry& registry() {
  static Registry instance;
  return instance;
}

}  // namespace

void register_input(std::string type, InputFactory factory) {
  const std::lock_guard lock(registry().mutex);
  registry().factories.insert_or_assign(std::move(type), std::move(factory));
}

std::vector<std::string> input_types() {
  const std::lock_guard lock(registry().mutex);
  std::vector<std::string> types;
  for (const auto& [type, factory] : registry().factories) types.push_back(type);
  return types;
}

Result<std::unique_ptr<Input>> make_input(config::Table& table) {
  const std::string where = table.where("type");
  if (!table.has("type")) {
    table.mistake("type", "missing");
    return Error{Errc::config, where + ": missing"};
  }
  const std::string type = table.choice("type", "", input_types());
  InputFactory factory;
  {
    const std::lock_guard lock(registry().mutex);
    const auto found = registry().factories.find(type);
    if (found != registry().factories.end()) factory = found->second;
  }
  if (!factory) return Error{Errc::config, where + ": unknown type of input"};
  return factory(table);
}

bool wait_for(std::stop_token stop, std::chrono::microseconds duration) {
  std::mutex mutex;
  std::condition_variable_any woken;
  std::unique_lock lock(mutex);
  woken.wait_for(lock, stop, duration, [] { return false; });
  return !stop.stop_requested();
}

}  // namespace dunlin::agent
