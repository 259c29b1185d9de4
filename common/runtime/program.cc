#include "common/runtime/program.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <thread>

#include "common/runtime/health.h"
#include "common/runtime/service_manager.h"
#include "common/runtime/version.h"
#include "common/storage/format_table.h"
#include "common/storage/inspect.h"
#include "common/telemetry/log.h"

namespace dunlin::runtime {

namespace {

constexpr auto kBeat = std::chrono::seconds(10);

constexpr int kOk = 0;
constexpr int kFailure = 1;
constexpr int kUsage = 2;

// A configuration that was read to the end, or the mistakes in it, printed.
struct Loaded {
  NodeConfig config;
  Program::Run run;
};

// Tells the service manager, at most once a second.
std::function<void()> tell_of_progress() {
  using Clock = std::chrono::steady_clock;
  return [manager = ServiceManager::from_environment(), next = Clock::time_point()]() mutable {
    if (Clock::now() < next) return;
    (void)manager.progress();
    next = Clock::now() + std::chrono::seconds(1);
  };
}

std::optional<Loaded> load(const Program& program, const std::string& path) {
  Result<config::Document> document = config::Document::load({path, config::process_environment()});
  if (!document.ok()) {
    std::fprintf(stderr, "%s\n", document.error().context.c_str());
    return std::nullopt;
  }
  Loaded loaded;
  loaded.config = read_node_config(document->root(), program.role);
  loaded.config.database.on_progress = tell_of_progress();
  loaded.run = program.configure(document->root());
  const std::vector<std::string> mistakes = document->mistakes();
  for (const std::string& mistake : mistakes) std::fprintf(stderr, "%s\n", mistake.c_str());
  if (!mistakes.empty()) return std::nullopt;
  log::set_level(loaded.config.log_level);
  log::set_format(loaded.config.log_format);
  return loaded;
}

// Signals arrive at one thread that does nothing else, so that no handler runs anywhere.
sigset_t block_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGHUP);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGCHLD, SIG_DFL);  // inherited as ignored, it would hide how children end
  return set;
}

// With one configuration, until a signal or its own end. SIGHUP asks for another one, which is
// there in `next` then; one with mistakes changes nothing.
int run_once(const Program& program, const std::string& path, const Loaded& loaded,
             const sigset_t& signals, std::optional<Loaded>& next) {
  const NodeConfig& config = loaded.config;
  if (config.bundle) {
    const Result<void> installed = security::install(*config.bundle, config.database.data_dir);
    if (!installed.ok()) return fail_to_start(installed.error());
    log::info("bundle_installed", {{"data_dir", config.database.data_dir}});
  }
  std::stop_source stop;
  const ServiceManager manager = ServiceManager::from_environment();
  std::thread waiter([&] {
    for (int received = 0; !next && received != SIGINT && received != SIGTERM;) {
      if (sigwait(&signals, &received) != 0) continue;
      if (received == SIGUSR1) log::set_level(log::Level::debug);
      if (received == SIGUSR2) log::set_level(config.log_level);
      if (received != SIGHUP) continue;
      (void)manager.reloading();
      next = load(program, path);
      if (next) continue;
      log::error("not_reloaded", {{"config", path}});
      (void)manager.ready();
    }
    stop.request_stop();
  });
  const int code = loaded.run(config, stop.get_token());
  // Wakes the waiter when the program ended by itself.
  if (!stop.stop_requested()) pthread_kill(waiter.native_handle(), SIGTERM);
  waiter.join();
  return code;
}

int run(const Program& program, const std::string& path) {
  const sigset_t signals = block_signals();
  std::optional<Loaded> next = load(program, path);
  if (!next) return kUsage;
  int code = kOk;
  while (next) {
    const Loaded loaded = std::move(*std::exchange(next, std::nullopt));
    code = run_once(program, path, loaded, signals, next);
    if (code != kOk) break;
  }
  (void)ServiceManager::from_environment().stopping();
  return code;
}

// The exit codes are Docker's: 0 well, 1 not.
int healthcheck(const Program& program, const std::string& path) {
  const std::optional<Loaded> loaded = load(program, path);
  if (!loaded) return kFailure;
  const Result<Health> health = ask_health(loaded->config.database.data_dir);
  if (!health.ok()) {
    std::fprintf(stderr, "%s\n", health.error().message().c_str());
    return kFailure;
  }
  std::printf("store %s, broker %s\n", health->store_writable ? "writable" : "not writable",
              health->broker_connected ? "connected" : "not connected");
  return health->store_writable ? kOk : kFailure;
}

// Prints what a read-only look at the database gives. The daemon may run or not.
int print_table(const Result<storage::Table>& table, const std::string& format) {
  if (!table.ok()) {
    std::fprintf(stderr, "%s\n", table.error().message().c_str());
    return kFailure;
  }
  const std::string text = format == "json"  ? storage::format_json(*table) + "\n"
                           : format == "csv" ? storage::format_csv(*table)
                                             : storage::format_text(*table);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return kOk;
}

Result<storage::Table> query(const std::string& database, const std::string& sql) {
  DUNLIN_ASSIGN(storage::Reader reader, storage::Reader::open(database));
  storage::QueryLimits limits;
  limits.time_max = std::chrono::minutes(1);
  return reader.query(sql, {}, limits);
}

}  // namespace

void wait_until(const std::stop_token& stop, const std::string& data_dir, NodeView& node,
                const std::function<void()>& beat) {
  using Clock = std::chrono::steady_clock;
  struct Chore {
    Duration every;
    std::function<void()> run;
    Clock::time_point at = Clock::now();
  };
  std::vector<Chore> chores;
  if (beat) chores.push_back({kBeat, beat});
  const ServiceManager manager = ServiceManager::from_environment();
  if (const std::optional<Duration> interval = ServiceManager::watchdog_interval()) {
    chores.push_back({*interval / 2, [&] {
                        (void)node.revoked({});  // only a loop that runs answers
                        (void)manager.watchdog();
                      }});
  }
  const Result<HealthSocket> health = HealthSocket::listen(data_dir);
  if (!health.ok()) log::warn("no_healthcheck", {{"error", health.error().message()}});
  const StopEvent event(stop);
  while (!stop.stop_requested()) {
    int wait_ms = event.timeout_ms();
    for (Chore& chore : chores) {
      if (Clock::now() >= chore.at) {
        chore.run();
        chore.at = Clock::now() + chore.every;
      }
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(chore.at - Clock::now());
      const int left_ms = std::max(static_cast<int>(left.count()), 0);
      wait_ms = wait_ms < 0 ? left_ms : std::min(wait_ms, left_ms);
    }
    pollfd polled[] = {{event.fd(), POLLIN, 0}, {health.ok() ? health->fd() : -1, POLLIN, 0}};
    if (::poll(polled, 2, wait_ms) > 0 && polled[1].revents != 0) health->answer(node);
  }
}

int fail_to_start(const Error& error) {
  log::error("cannot_start", {{"error", error.message()}});
  return kFailure;
}

void announce(Database& database, const NodeConfig& config, int http_port, int https_port) {
  log::info("started", {{"node", database.node_id()},
                        {"name", config.database.name},
                        {"version", kVersion},
                        {"revision", kRevision},
                        {"database", database.path()},
                        {"http_port", http_port},
                        {"https_port", https_port}});
  const Result<void> told = ServiceManager::from_environment().ready();
  if (!told.ok()) log::warn("service_manager", {{"error", told.error().message()}});
}

int run_program(const Program& program, int argc, char** argv) {
  CLI::App app(program.name);
  app.require_subcommand(1);
  std::string path;
  const auto with_config = [&](const char* name, const char* help) {
    CLI::App* command = app.add_subcommand(name, help);
    command->add_option("--config", path, "configuration file (TOML)")->required();
    return command;
  };
  CLI::App* run_command = with_config(
      "run",
      "run in the foreground until SIGINT or SIGTERM; SIGHUP: with the configuration as it is now; "
      "SIGUSR1: log everything, SIGUSR2: as configured");
  CLI::App* check_command = with_config("check", "read the configuration and report every mistake");
  CLI::App* health_command = with_config(
      "healthcheck", "ask the program that runs with it; 1: it does not answer or store");
  CLI::App* status_command = with_config("status", "what the database holds, log by log");
  CLI::App* sql_command = with_config("sql", "run one SELECT against the database");
  std::string sql;
  sql_command->add_option("query", sql, "the statement")->required();
  std::string format = "text";
  bool json = false;
  for (CLI::App* command : {status_command, sql_command}) {
    command->add_option("--format", format, "text, csv or json")
        ->check(CLI::IsMember({"text", "csv", "json"}));
    command->add_flag("--json", json, "the same as --format json");
  }
  CLI::App* version_command = app.add_subcommand("version", "print the version");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kOk : kUsage;
  }
  if (version_command->parsed()) {
    std::printf("%s %s (%s)\n", program.name.c_str(), kVersion, kRevision);
    return kOk;
  }
  if (check_command->parsed()) return load(program, path) ? kOk : kUsage;
  if (run_command->parsed()) return run(program, path);
  if (health_command->parsed()) return healthcheck(program, path);
  const std::optional<Loaded> loaded = load(program, path);
  if (!loaded) return kUsage;
  const std::string database = loaded->config.database.data_dir + "/log.db";
  return print_table(status_command->parsed() ? storage::inspect(database) : query(database, sql),
                     json ? "json" : format);
}

}  // namespace dunlin::runtime
