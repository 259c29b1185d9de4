#include "common/runtime/service.h"

#include <condition_variable>
#include <mutex>

#include "common/runtime/version.h"
#include "common/telemetry/log.h"

namespace dunlin::runtime {

Service::Service() : metrics_({kVersion, kRevision}), manager_(ServiceManager::from_environment()) {}

Result<std::unique_ptr<Service>> Service::start(Database& database, const NodeConfig& config,
                                                std::function<InputCounts()> input_counts) {
  std::unique_ptr<Service> service(new Service());
  database.node().on_replicated([metrics = &service->metrics_](const replication::Replicated&, Duration latency) {
    metrics->observe_replication_latency(latency);
  });
  int port = 0;
  if (!config.http_listen.empty()) {
    add_api(service->server_, database.node(), service->metrics_, {database.path(), std::move(input_counts)});
    DUNLIN_ASSIGN(port, service->server_.start(config.http_listen));
  }
  log::info("started", {{"node", database.node_id()}, {"name", config.database.name},
                        {"version", kVersion}, {"revision", kRevision},
                        {"database", database.path()}, {"http_port", port}});
  DUNLIN_TRY(service->manager_.ready());
  return service;
}

void Service::stopping() {
  (void)manager_.stopping();
  server_.stop();
}

void wait_until(std::stop_token stop) {
  const ServiceManager manager = ServiceManager::from_environment();
  const std::optional<Duration> interval = ServiceManager::watchdog_interval();
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  while (!stop.stop_requested()) {
    const Duration wait = interval ? *interval / 2 : Duration(std::chrono::hours(1));
    wake.wait_for(lock, stop, wait, [] { return false; });
    if (interval) (void)manager.watchdog();
  }
}

int fail_to_start(const Error& error) {
  log::error("cannot_start", {{"error", error.message()}});
  return 1;
}

}  // namespace dunlin::runtime
