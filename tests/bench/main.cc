#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <map>

#include "tests/bench/firmware.h"
#include "tests/bench/fleet_run.h"
#include "tests/bench/flood.h"
#include "tests/bench/flush.h"
#include "tests/bench/pipe/sink.h"
#include "tests/bench/pipe/source.h"
#include "tests/bench/replicate.h"
#include "tests/bench/security.h"
#include "tests/bench/shards.h"

namespace {

using namespace dunlin;
using namespace dunlin::bench;

int fail(const Error& error) {
  std::fprintf(stderr, "dunlin-bench: %s\n", error.message().c_str());
  return 1;
}

double value_of(const Figures& figures, const std::string& name) {
  for (const Figure& figure : figures) {
    if (figure.figure == name) return figure.value;
  }
  return 0;
}

int replicate(const ReplicateOptions& options) {
  const Result<Figures> dunlin = run_dunlin(options);
  if (!dunlin.ok()) return fail(dunlin.error());
  for (const Figure& figure : *dunlin) print(figure);
  if (!options.against_pipe) return 0;
  const Result<Figures> pipe = run_pipe(options);
  if (!pipe.ok()) return fail(pipe.error());
  for (const Figure& figure : *pipe) print(figure);
  Figure versus{.figure = {}, .unit = {}, .system = "dunlin/pipe", .mode = to_string(options.mode)};
  if (options.mode == Mode::trickle) {
    versus.figure = "latency_p50_above_pipe";
    versus.value = value_of(*dunlin, "latency_p50") - value_of(*pipe, "latency_p50");
    versus.unit = "ms";
    versus.bound = 1.0;
  } else {
    versus.figure = "times_the_pipe";
    versus.value =
        value_of(*dunlin, "readings_per_second") / value_of(*pipe, "readings_per_second");
    versus.unit = "1";
    versus.bound = options.mode == Mode::online ? std::optional(5.0) : std::nullopt;
    versus.higher_is_better = true;
  }
  print(versus);
  return 0;
}

int print_all(const Result<Figures>& figures) {
  if (!figures.ok()) return fail(figures.error());
  for (const Figure& figure : *figures) print(figure);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("dunlin-bench: measures Dunlin, with rivals in the same run; prints JSON lines");
  app.require_subcommand(1);
  const std::map<std::string, Mode> modes{{"online", Mode::online},
                                          {"backlog", Mode::backlog},
                                          {"trickle", Mode::trickle},
                                          {"hostile", Mode::hostile}};

  ReplicateOptions options;
  options.self = std::filesystem::read_symlink("/proc/self/exe").string();
  options.programs = std::filesystem::path(options.self).parent_path().string();
  std::string against;
  CLI::App* run =
      app.add_subcommand("replicate", "readings from an agent through mosquitto to a gateway");
  run->add_option("--readings", options.readings, "how many (trickle: 10 a second)");
  run->add_option("--mode", options.mode)->transform(CLI::CheckedTransformer(modes));
  run->add_option("--batch", options.batch, "readings per entry")->check(CLI::Range(1, 1000));
  run->add_option("--live", options.live_seconds,
                  "backlog, hostile: so many seconds of live readings, 200 each");
  run->add_option("--data", options.data, "a CSV file with a header instead of the seeded series");
  run->add_option("--time", options.time, "its time column, or two joined: \"date time\"");
  run->add_option("--columns", options.columns, "its columns to take, by commas; all by default")
      ->delimiter(',');
  run->add_option("--against", against, "also run a rival")->check(CLI::IsMember({"pipe"}));

  run->add_flag("--tls", options.tls, "in a fleet with an authority, with certificates and rights");

  const std::map<std::string, Shape> shapes{
      {"steady", Shape::steady}, {"idle", Shape::idle}, {"burst", Shape::burst}};
  FlushOptions flush;
  std::uint64_t quiet_seconds = 0;
  CLI::App* run_flushes =
      app.add_subcommand("flush", "bytes on the wire and the disk as a function of flush interval");
  run_flushes->add_option("--shape", flush.shape)->transform(CLI::CheckedTransformer(shapes));
  run_flushes->add_option("--intervals", flush.intervals, "seconds of readings, by commas")
      ->delimiter(',')
      ->check(CLI::PositiveNumber);
  run_flushes->add_option("--flushes", flush.flushes, "for each interval")
      ->check(CLI::PositiveNumber);
  run_flushes->add_option("--quiet", quiet_seconds, "no readings at all for so many seconds");
  run_flushes->add_flag("--tls", flush.tls);

  const std::map<std::string, BrokerKind> brokers{{"mosquitto", BrokerKind::mosquitto},
                                                  {"bridge", BrokerKind::bridge},
                                                  {"nats", BrokerKind::nats}};
  FleetOptions fleet;
  CLI::App* run_real_fleet = app.add_subcommand(
      "fleet", "gateways and agents of several cells, some of which are lost under load");
  run_real_fleet->add_option("--broker", fleet.broker)->transform(CLI::CheckedTransformer(brokers));
  run_real_fleet->add_option("--agents", fleet.agents)->check(CLI::PositiveNumber);
  run_real_fleet->add_option("--gateways", fleet.gateways, "at least two")
      ->check(CLI::Range(2, 16));
  run_real_fleet->add_option("--cells", fleet.cells)->check(CLI::PositiveNumber);
  run_real_fleet->add_option("--seconds", fleet.seconds, "before, while and after a loss")
      ->check(CLI::Range(2, 3600));
  run_real_fleet->add_flag("--kill-broker", fleet.kill_broker, "a node of it, under load");
  run_real_fleet->add_flag("--tls", fleet.tls, "mosquitto: with certificates and rights");

  const CLI::App* security =
      app.add_subcommand("security", "verifiers, TLS handshakes, and what TLS adds to an agent");

  ShardsOptions shards;
  CLI::App* run_shards_command =
      app.add_subcommand("shards", "what a gateway takes in with its storage in several files");
  run_shards_command->add_option("--shards", shards.shards, "numbers of files, by commas")
      ->delimiter(',')
      ->check(CLI::Range(1, 8));
  run_shards_command->add_option("--origins", shards.origins)->check(CLI::PositiveNumber);
  run_shards_command->add_option("--segments", shards.segments, "of each origin")
      ->check(CLI::PositiveNumber);

  FirmwareOptions firmware;
  std::uint64_t live = 120, window = 3600;
  CLI::App* run_images = app.add_subcommand("firmware", "images of a device class, in QEMU");
  run_images->add_option("profile", firmware.profile, "the class, which is built")->required();
  run_images->add_option("--parts", firmware.parts, "by commas; all by default")
      ->delimiter(',')
      ->check(CLI::IsMember({"sizes", "boot", "live", "writes"}));
  run_images->add_option("--boots", firmware.boots, "of each kind")->check(CLI::PositiveNumber);
  run_images->add_option("--live", live, "seconds in which CPU time and wake-ups are counted")
      ->check(CLI::PositiveNumber);
  run_images->add_option("--window", window, "seconds of the device in which writes are counted")
      ->check(CLI::PositiveNumber);

  FloodOptions flood;
  int flood_seconds = 10;
  CLI::App* run_flood = app.add_subcommand("flood", "a hostile member, for replicate");
  run_flood->add_option("--port", flood.broker_port)->required();
  run_flood->add_option("--gateway", flood.gateway);
  run_flood->add_option("--seconds", flood_seconds);
  run_flood->add_option("--bundle", flood.bundle);

  PipeSourceOptions source;
  std::string source_mode = "online";
  CLI::App* pipe_source = app.add_subcommand("pipe-source", "the rival's sending process");
  pipe_source->add_option("--database", source.database)->required();
  pipe_source->add_option("--port", source.broker_port)->required();
  pipe_source->add_option("--readings", source.readings)->required();
  pipe_source->add_option("--mode", source_mode)
      ->check(CLI::IsMember({"online", "backlog", "trickle"}));

  PipeSinkOptions sink;
  CLI::App* pipe_sink = app.add_subcommand("pipe-sink", "the rival's receiving process");
  pipe_sink->add_option("--database", sink.database)->required();
  pipe_sink->add_option("--port", sink.broker_port)->required();
  pipe_sink->add_option("--readings", sink.readings)->required();

  CLI11_PARSE(app, argc, argv);
  if (pipe_source->parsed()) {
    source.mode = source_mode == "online"    ? PipeSourceOptions::Mode::online
                  : source_mode == "backlog" ? PipeSourceOptions::Mode::backlog
                                             : PipeSourceOptions::Mode::trickle;
    return pipe_source_main(source);
  }
  if (run_flood->parsed()) {
    flood.duration = std::chrono::seconds(flood_seconds);
    return flood_main(flood);
  }
  if (run_shards_command->parsed()) return print_all(run_shards(shards));
  if (run_real_fleet->parsed()) return print_all(run_fleet(fleet));
  if (run_images->parsed()) {
    firmware.live = std::chrono::seconds(live);
    firmware.window = std::chrono::seconds(window);
    const Result<void> done = run_firmware(firmware);
    return done.ok() ? 0 : fail(done.error());
  }
  if (security->parsed()) return print_all(run_security());
  if (pipe_sink->parsed()) return pipe_sink_main(sink);
  if (run_flushes->parsed()) {
    return print_all(quiet_seconds > 0 ? run_quiet(std::chrono::seconds(quiet_seconds), flush.tls)
                                       : run_flush(flush));
  }
  options.against_pipe = against == "pipe";
  return replicate(options);
}
