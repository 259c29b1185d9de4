#include "agent/inputs/model.h"

#include <algorithm>

#include "agent/inputs/greenhouse.h"
#include "agent/inputs/schedule.h"
#include "agent/inputs/streams.h"
#include "agent/inputs/time_format.h"

namespace dunlin::agent {

namespace {

class ModelInput final : public Input {
 public:
  struct Options {
    std::string stream;
    Greenhouse::Options greenhouse;
    std::uint64_t readings = 0;
    double speed = 1;
    std::size_t batch = 500;
  };
  explicit ModelInput(Options options)
      : options_(std::move(options)),
        schema_(Greenhouse::schema(options_.stream)),
        greenhouse_(options_.greenhouse) {}

  Result<void> run(InputSink& sink, std::stop_token stop) override {
    if (options_.speed == 0) return unless_closed(run_flat_out(sink, stop));
    const auto pace = std::chrono::microseconds(std::max<std::int64_t>(
        1, static_cast<std::int64_t>(static_cast<double>(options_.greenhouse.period_us) /
                                     options_.speed)));
    // The series ends with `closed`, which run_every takes for the end that it is.
    return run_every(pace, stop, [&] { return hand_one(sink); });
  }

 private:
  bool finished() const { return options_.readings != 0 && done_ >= options_.readings; }

  Result<void> run_flat_out(InputSink& sink, const std::stop_token& stop) {
    while (!stop.stop_requested() && !finished()) {
      std::size_t n = options_.batch;
      if (options_.readings != 0)
        n = static_cast<std::size_t>(std::min<std::uint64_t>(n, options_.readings - done_));
      Rows rows(schema_.fields.size());
      rows.reserve(n);
      greenhouse_.next(n, rows);
      done_ += n;
      DUNLIN_TRY(hand_over(sink, schema_, std::move(rows), false, schema_.name));
    }
    return {};
  }

  Result<void> hand_one(InputSink& sink) {
    if (finished()) return {Errc::closed, "all readings were made"};
    Rows rows(schema_.fields.size());
    greenhouse_.next(1, rows);
    ++done_;
    if (options_.speed != 1) {
      return hand_over(sink, schema_, std::move(rows), false, schema_.name);
    }
    const Stamp stamp = sink.now();
    Rows stamped(schema_.fields.size());
    stamped.begin_row(stamp.time_us);
    for (std::size_t field = 0; field < rows.fields(); ++field) {
      stamped.add_cell(rows, rows.cell(0, field));
    }
    return hand_over(sink, schema_, std::move(stamped), stamp.since_boot, schema_.name);
  }

  Options options_;
  StreamSchema schema_;
  Greenhouse greenhouse_;
  std::uint64_t done_ = 0;
};

}  // namespace

Result<std::unique_ptr<Input>> make_model_input(config::Table& table) {
  ModelInput::Options options;
  options.stream = stream_key(table, "greenhouse_model");
  options.greenhouse.seed = static_cast<std::uint64_t>(table.integer("seed", 1, 0, INT64_MAX));
  options.readings = static_cast<std::uint64_t>(table.integer("readings", 0, 0, INT64_MAX));
  options.speed = table.real("speed", 1, 0, 1e6);
  options.batch = static_cast<std::size_t>(table.integer("batch", 500, 1, 100'000));
  options.greenhouse.period_us = table.duration("period", std::chrono::seconds(1)).count();
  if (options.greenhouse.period_us < 10'000 || options.greenhouse.period_us > 86'400'000'000) {
    table.mistake("period", "should be within 10ms to 1d");
    options.greenhouse.period_us = 1'000'000;
  }
  const auto start =
      TimeFormat::from("iso8601").value().parse(table.text("start", "2026-01-01T00:00:00Z"));
  if (start.ok()) {
    options.greenhouse.start_us = start.value();
  } else {
    table.mistake("start", start.error().context);
  }
  return std::unique_ptr<Input>(std::make_unique<ModelInput>(std::move(options)));
}

}  // namespace dunlin::agent
