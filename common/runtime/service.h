#pragma once

#include <functional>
#include <memory>
#include <stop_token>

#include "common/http/server.h"
#include "common/runtime/api.h"
#include "common/runtime/node_config.h"
#include "common/runtime/service_manager.h"

namespace dunlin::runtime {

// What stands around a running database in both programs: the HTTP endpoints, when configured, and
// the service manager's notifications.
class Service {
 public:
  // Says READY once everything listens.
  static Result<std::unique_ptr<Service>> start(Database& database, const NodeConfig& config,
                                                std::function<InputCounts()> input_counts);
  void stopping();  // no more requests; the service manager is told

 private:
  Service();
  telemetry::Metrics metrics_;
  http::Server server_;
  ServiceManager manager_;
};

// Waits for a stop request, and pets the service manager's watchdog meanwhile.
void wait_until(std::stop_token stop);

// Logs why the program cannot start; returns its exit code.
int fail_to_start(const Error& error);

}  // namespace dunlin::runtime
