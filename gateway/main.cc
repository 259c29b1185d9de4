#include "common/api/http_api.h"
#include "common/runtime/node.h"
#include "common/runtime/program.h"
#include "common/runtime/version.h"

namespace {

using namespace dunlin;

// Keeps every log of its cells and answers for them over HTTP.
int run(const runtime::NodeConfig& config, std::stop_token stop) {
  Result<std::unique_ptr<Database>> database = Database::open(config.database);
  if (!database.ok()) return runtime::fail_to_start(database.error());
  Result<std::unique_ptr<api::HttpApi>> http = api::HttpApi::start(
      (*database)->node(),
      {config.http_listen,
       (*database)->path(),
       kVersion,
       kRevision,
       {},
       config.log_level,
       config.log_format,
       config.http_exposed,
       config.https_listen,
       {config.member_files.certificate, config.member_files.key, config.member_files.authority},
       config.database.cells,
       config.issuer});
  if (!http.ok()) return runtime::fail_to_start(http.error());
  runtime::announce(**database, config, (*http)->port(), (*http)->https_port());
  runtime::wait_until(stop, config.database.data_dir, (*database)->node());
  http->reset();
  (*database)->close();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const runtime::Program program{"dunlin-gateway", Role::gateway,
                                 [](config::Table&) { return run; }};
  return runtime::run_program(program, argc, argv);
}
