#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>

#include "agent/inputs/input.h"
#include "agent/inputs/reading.h"
#include "common/config/table.h"

namespace dunlin::agent {

// What a field measures, and how finely: as a decimal, or without decimals as an int64.
struct Quantity {
  std::string_view unit;
  std::uint8_t decimals = 0;
};

// What to call devices, by an id that they keep: the table `names` of an [[input]].
using SensorNames = std::map<std::string, std::string>;

// One reading of sensors that name themselves.
class Sensors {
 public:
  Sensors(InputSink& sink, std::stop_token stop, const SensorNames& names)
      : sink_(sink), stop_(std::move(stop)), given_(names), missing_(names) {}

  // What to call a device: as `names` says of its id, or else as name() does.
  std::string device_name(const std::string& id, std::string_view wanted);
  // What to call who calls itself `wanted`: bytes that a stream's name cannot have become '_', the
  // second of a name gets "_2". Asked for whether it reads or not, or its twin would be taken for
  // it.
  std::string name(std::string_view wanted);

  void add(const std::string& name, std::int64_t mantissa, const Quantity& quantity);
  void add_real(const std::string& name, double value, std::string_view unit);
  // The integer that stands in an attribute; what is none, or fails to read, is reported.
  void add_attribute(const std::string& name, const std::string& path, const Quantity& quantity);
  void report(const std::string& where, const Error& error) { sink_.report(where, error); }

  // Devices in `names` that device_name() was not asked for.
  const SensorNames& missing() const { return missing_; }
  bool stopped() const { return stop_.stop_requested(); }
  Reading& reading() { return reading_; }

 private:
  InputSink& sink_;
  std::stop_token stop_;
  const SensorNames& given_;
  SensorNames missing_;
  std::set<std::string> names_;
  Reading reading_;
};

struct SensorOptions {
  std::string stream;
  std::string place;  // where sensors are looked for
  std::chrono::microseconds interval;
  SensorNames names = {};  // one that is not there is reported
};

// The table `names` of an [[input]].
SensorNames names_key(config::Table& table);

// An input that looks for sensors every interval. A machine without any is reported once, then
// looked at every minute.
std::unique_ptr<Input> make_sensor_input(SensorOptions options, std::function<void(Sensors&)> look);

}  // namespace dunlin::agent
