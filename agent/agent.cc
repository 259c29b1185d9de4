#include "agent/agent.h"

#include <memory>
#include <vector>

#include "agent/footprint.h"
#include "agent/http_module.h"
#include "agent/inputs/input.h"
#include "agent/sampler.h"
#include "common/runtime/node.h"
#include "common/runtime/version.h"

namespace dunlin::agent {

namespace {

struct ConfiguredInput {
  std::string type;
  std::unique_ptr<Input> input;
};

int run(const runtime::NodeConfig& config, std::vector<ConfiguredInput>& inputs,
        std::stop_token stop) {
  keep_heap_small();
  Result<std::unique_ptr<Database>> database = Database::open(config.database);
  if (!database.ok()) return runtime::fail_to_start(database.error());
  Sampler sampler(**database);
  std::unique_ptr<api::HttpApi> http;
  if (!config.http_listen.empty()) {
    Result<std::unique_ptr<api::HttpApi>> started =
        load_http_api((*database)->node(), {config.http_listen,
                                            (*database)->path(),
                                            kVersion,
                                            kRevision,
                                            [&] { return sampler.counts(); },
                                            config.log_level,
                                            config.log_format,
                                            config.http_exposed,
                                            {},
                                            {config.member_files.certificate, {}, {}}});
    if (!started.ok()) return runtime::fail_to_start(started.error());
    http = *std::move(started);
  }
  runtime::announce(**database, config, http ? http->port() : 0);
  for (ConfiguredInput& input : inputs) sampler.start(input.type, std::move(input.input));
  drop_startup_pages();
  // A TLS handshake is long code: it need not be there all at once, or later.
  (*database)->node().on_connection(drop_startup_pages);
  runtime::wait_until(stop, config.database.data_dir, (*database)->node(),
                      [&] { sampler.look_after(); });
  http.reset();
  sampler.stop();
  (*database)->close();
  return 0;
}

}  // namespace

runtime::Program program() {
  return {"dunlin-agent", Role::agent, [](config::Table& root) -> runtime::Program::Run {
            auto inputs = std::make_shared<std::vector<ConfiguredInput>>();
            for (config::Table& table : root.tables("input")) {
              const std::string type = table.required_text("type");
              Result<std::unique_ptr<Input>> input = make_input(table);
              if (!input.ok()) {
                table.mistake("type", input.error().context);
              } else {
                inputs->push_back({type, *std::move(input)});
              }
            }
            return [inputs](const runtime::NodeConfig& config, std::stop_token stop) {
              return run(config, *inputs, std::move(stop));
            };
          }};
}

}  // namespace dunlin::agent
