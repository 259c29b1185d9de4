#include "agent/inputs/iio.h"

#include <algorithm>
#include <cmath>

#include "agent/inputs/schedule.h"
#include "agent/inputs/sensors.h"
#include "agent/inputs/sysfs.h"
#include "agent/inputs/text.h"

namespace dunlin::agent {

namespace {

// Units of Documentation/ABI/testing/sysfs-bus-iio: its values / 10^shift are in ours.
struct Channel {
  std::string_view type;
  Quantity quantity;
  int shift = 0;
};
constexpr Channel kChannels[] = {{"accel", {"m/s2", 6}},
                                 {"altvoltage", {"V", 6}, 3},
                                 {"angl", {"rad", 6}},
                                 {"anglvel", {"rad/s", 6}},
                                 {"capacitance", {"nF", 3}},
                                 {"cct", {"K", 3}},
                                 {"concentration", {"%", 6}},
                                 {"current", {"A", 6}, 3},
                                 {"distance", {"m", 6}},
                                 {"electricalconductivity", {"S/m", 6}},
                                 {"energy", {"J", 3}},
                                 {"gravity", {"m/s2", 6}},
                                 {"humidityrelative", {"%", 3}, 3},
                                 {"illuminance", {"lx", 3}},
                                 {"incli", {"deg", 6}},
                                 {"magn", {"G", 6}},
                                 {"massconcentration", {"ug/m3", 3}},
                                 {"ph", {"[pH]", 3}},
                                 {"positionrelative", {"%", 3}, 3},
                                 {"power", {"W", 6}, 3},
                                 {"pressure", {"Pa", 3}, -3},
                                 {"resistance", {"Ohm", 3}},
                                 {"rot", {"deg", 6}},
                                 {"temp", {"Cel", 3}, 3},
                                 {"velocity", {"m/s", 6}},
                                 {"voltage", {"V", 6}, 3}};

// "voltage" of "voltage0-voltage1", "accel" of "accel_x".
std::string_view type_of(std::string_view channel) {
  const auto end =
      std::find_if(channel.begin(), channel.end(), [](char c) { return c < 'a' || c > 'z'; });
  return channel.substr(0, static_cast<std::size_t>(end - channel.begin()));
}

std::string without_digits(std::string text) {
  std::erase_if(text, [](char c) { return c >= '0' && c <= '9'; });
  return text;
}

// Without zeros at the end: the kernel prints them.
DecimalNumber reduced(DecimalNumber number) {
  for (; number.decimals > 0 && number.mantissa % 10 == 0; --number.decimals) number.mantissa /= 10;
  return number;
}

double to_double(const DecimalNumber& number) {
  return static_cast<double>(number.mantissa) * std::pow(10.0, -number.decimals);
}

double to_double(const IioValue& value) {
  return (to_double(value.raw) + to_double(value.offset)) * to_double(value.scale) *
         std::pow(10.0, -value.shift);
}

// (raw + offset) * scale as it is; nothing when an int64 does not hold it.
std::optional<std::int64_t> product_of(const IioValue& value, int& decimals) {
  const DecimalNumber raw = reduced(value.raw), offset = reduced(value.offset),
                      scale = reduced(value.scale);
  const std::uint8_t fine = std::max(raw.decimals, offset.decimals);
  const auto left = to_mantissa(raw, fine), right = to_mantissa(offset, fine);
  std::int64_t out = 0;
  if (!left || !right || __builtin_add_overflow(*left, *right, &out) ||
      __builtin_mul_overflow(out, scale.mantissa, &out)) {
    return std::nullopt;
  }
  decimals = fine + scale.decimals;
  return out;
}

// One device and what stands in its folder.
class Device {
 public:
  Device(std::string folder, Sensors& sensors)
      : folder_(std::move(folder)), sensors_(sensors), names_(names_in(folder_)) {
    std::string name = read_label(folder_ + "/label");
    if (name.empty()) name = read_label(folder_ + "/name");
    name_ = sensors.device_name(device_at(folder_ + "/.."), name);
  }

  void read() {
    for (const std::string& name : names_) {
      if (!name.starts_with("in_") || sensors_.stopped()) continue;
      const bool input = name.ends_with("_input");
      if (!input && !name.ends_with("_raw")) continue;
      const std::string channel = name.substr(3, name.rfind('_') - 3);
      if (!input && has("in_" + channel + "_input")) continue;
      read_channel(channel, name, input);
    }
  }

 private:
  bool has(const std::string& name) const {
    return std::binary_search(names_.begin(), names_.end(), name);
  }

  void read_channel(const std::string& channel, const std::string& file, bool input) {
    const std::string label = read_label_of(channel);
    const std::string name = sensors_.name(name_ + "." + (label.empty() ? channel : label));
    IioValue value;
    if (!take(file, value.raw)) return;
    if (!input && !take(shared(channel, "_offset"), value.offset)) return;
    if (!input && !take(shared(channel, "_scale"), value.scale)) return;
    const auto known =
        std::find_if(std::begin(kChannels), std::end(kChannels),
                     [type = type_of(channel)](const Channel& each) { return each.type == type; });
    if (known == std::end(kChannels)) {
      return sensors_.add_real(name, to_double(value), "");
    }
    value.shift = known->shift;
    const auto mantissa = to_mantissa(value, known->quantity.decimals);
    if (mantissa) return sensors_.add(name, *mantissa, known->quantity);
    sensors_.report(folder_ + "/" + file, {Errc::too_large, "does not fit its resolution"});
  }

  std::string read_label_of(const std::string& channel) const {
    const std::string file = "in_" + channel + "_label";
    return has(file) ? read_label(folder_ + "/" + file) : "";
  }

  // What holds for a channel may be said of its type, without the number or what follows it, or of
  // the whole device. "" when nothing is said.
  std::string shared(const std::string& channel, const std::string& suffix) const {
    const std::string base = channel.substr(0, channel.find('_'));
    for (const std::string& name : {channel, without_digits(channel), base, without_digits(base)}) {
      if (has("in_" + name + suffix)) return "in_" + name + suffix;
    }
    return has("in" + suffix) ? "in" + suffix : "";
  }

  // Leaves `out` as it is without a file; false when there is nothing to be had of it.
  bool take(const std::string& file, DecimalNumber& out) {
    if (file.empty()) return true;
    const std::string path = folder_ + "/" + file;
    const Result<std::optional<std::string>> text = read_attribute(path);
    if (!text.ok()) return sensors_.report(path, text.error()), false;
    if (!text.value() || text.value()->find(' ') != std::string::npos) return false;
    const auto number = parse_decimal(**text);
    if (number) return out = *number, true;
    return sensors_.report(path, {Errc::malformed, excerpt(**text) + " is no number"}), false;
  }

  const std::string folder_;
  Sensors& sensors_;
  const std::vector<std::string> names_;
  std::string name_;
};

}  // namespace

std::optional<std::int64_t> to_mantissa(const IioValue& value, std::uint8_t decimals) {
  int have = 0;
  std::optional<std::int64_t> exact = product_of(value, have);
  have += value.shift;
  for (; exact && have < decimals; ++have) {
    std::int64_t finer = 0;
    exact = __builtin_mul_overflow(*exact, std::int64_t{10}, &finer) ? std::nullopt
                                                                     : std::optional(finer);
  }
  if (!exact) {
    const double real = std::round(to_double(value) * std::pow(10.0, decimals));
    constexpr double kMax = 9.2e18;
    if (!(std::fabs(real) < kMax)) return std::nullopt;
    return static_cast<std::int64_t>(real);
  }
  for (; have > decimals + 1; --have) *exact /= 10;
  if (have == decimals + 1) *exact = *exact / 10 + *exact % 10 / 5;
  return exact;
}

Result<std::unique_ptr<Input>> make_iio_input(config::Table& table) {
  const std::string devices = table.text("sys", "/sys") + "/bus/iio/devices";
  return make_sensor_input({stream_key(table, "iio"), devices,
                            interval_key(table, std::chrono::seconds(10)), names_key(table)},
                           [devices](Sensors& sensors) {
                             for (const std::string& folder : numbered(devices, "iio:device")) {
                               Device(folder, sensors).read();
                             }
                           });
}

}  // namespace dunlin::agent
