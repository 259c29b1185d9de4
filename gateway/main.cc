#include "common/runtime/program.h"
#include "common/runtime/service.h"

namespace {

using namespace dunlin;

// Keeps every log of its cells and answers for them over HTTP.
int run(const runtime::NodeConfig& config, std::stop_token stop) {
  Result<std::unique_ptr<Database>> database = Database::open(config.database);
  if (!database.ok()) return runtime::fail_to_start(database.error());
  Result<std::unique_ptr<runtime::Service>> service = runtime::Service::start(**database, config, {});
  if (!service.ok()) return runtime::fail_to_start(service.error());
  runtime::wait_until(stop);
  (*service)->stopping();
  (*database)->close();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const runtime::Program program{"dunlin-gateway", Role::gateway, [](config::Table&) { return run; }};
  return runtime::run_program(program, argc, argv);
}
