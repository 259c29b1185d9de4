#include "agent/inputs/sensors.h"

#include <algorithm>

#include "agent/inputs/number.h"
#include "agent/inputs/schedule.h"
#include "agent/inputs/streams.h"
#include "agent/inputs/sysfs.h"
#include "agent/inputs/text.h"

namespace dunlin::agent {

namespace {

class SensorInput final : public Input {
 public:
  SensorInput(SensorOptions options, std::function<void(Sensors&)> look)
      : options_(std::move(options)), look_(std::move(look)) {}

  Result<void> run(InputSink& sink, std::stop_token stop) override {
    const std::chrono::microseconds slow =
        std::max<std::chrono::microseconds>(options_.interval, std::chrono::minutes(1));
    bool reported = false;
    while (!stop.stop_requested()) {
      bool any = true;
      const Result<void> done = run_every(options_.interval, stop, [&]() -> Result<void> {
        Result<bool> sampled = sample(sink, stop);
        if (!sampled.ok()) return sampled.error();
        any = sampled.value();
        if (!any) return {Errc::closed, "nothing to sample"};
        reported = false;
        return {};
      });
      if (any) return done;
      if (!reported) {
        sink.report(options_.place, {Errc::not_found, "no sensor; looking again every minute"});
      }
      reported = true;
      wait_for(stop, slow);
    }
    return {};
  }

 private:
  // Whether there was any sensor that reads.
  Result<bool> sample(InputSink& sink, const std::stop_token& stop) {
    Sensors sensors(sink, stop, options_.names);
    {
      const SensorWait wait(sink, options_.interval);
      look_(sensors);
    }
    if (stop.stop_requested()) return true;
    for (const auto& [id, name] : sensors.missing())
      sensors.report(options_.place + "/" + id, {Errc::not_found, excerpt(name) + " is not there"});
    Reading& reading = sensors.reading();
    if (reading.values.empty()) return false;
    reading.stream = options_.stream;
    if (Result<void> taken = streams_.add(reading, sink.now(), sink); !taken.ok()) {
      if (taken.error().code == Errc::closed) return taken.error();
      sink.report(options_.stream, taken.error());
    }
    DUNLIN_TRY(streams_.flush(sink));
    return true;
  }

  const SensorOptions options_;
  const std::function<void(Sensors&)> look_;
  SelfDefiningStreams streams_;
};

}  // namespace

std::string Sensors::name(std::string_view wanted) {
  const std::string plain = stream_name_from(wanted.empty() ? "unnamed" : wanted);
  std::string unique = plain;
  for (int n = 2; !names_.insert(unique).second; ++n) unique = plain + "_" + std::to_string(n);
  return unique;
}

std::string Sensors::device_name(const std::string& id, std::string_view wanted) {
  missing_.erase(id);
  const auto given = given_.find(id);
  return name(given == given_.end() ? wanted : given->second);
}

void Sensors::add(const std::string& name, std::int64_t mantissa, const Quantity& quantity) {
  reading_.add_decimal(name, mantissa, quantity.decimals, quantity.unit);
  if (quantity.decimals == 0) reading_.values.back().field.type = FieldType::int64;
}

void Sensors::add_real(const std::string& name, double value, std::string_view unit) {
  reading_.add_real(name, value);
  reading_.values.back().field.unit = unit;
}

void Sensors::add_attribute(const std::string& name, const std::string& path,
                            const Quantity& quantity) {
  const Result<std::optional<std::string>> text = read_attribute(path);
  if (!text.ok()) return report(path, text.error());
  if (!text.value()) return;
  const auto integer = parse_integer(**text);
  if (!integer) return report(path, {Errc::malformed, excerpt(**text) + " is no integer"});
  add(name, *integer, quantity);
}

SensorNames names_key(config::Table& table) {
  SensorNames names;
  for (const auto& [id, name] : table.table("names").text_pairs()) names.emplace(id, name);
  return names;
}

std::unique_ptr<Input> make_sensor_input(SensorOptions options,
                                         std::function<void(Sensors&)> look) {
  return std::make_unique<SensorInput>(std::move(options), std::move(look));
}

}  // namespace dunlin::agent
