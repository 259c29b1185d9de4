#include "agent/agent.h"

#include <memory>
#include <vector>

#include "agent/inputs/input.h"
#include "agent/sampler.h"
#include "common/runtime/service.h"

namespace dunlin::agent {

namespace {

struct ConfiguredInput {
  std::string type;
  std::unique_ptr<Input> input;
};

int run(const runtime::NodeConfig& config, std::vector<ConfiguredInput>& inputs, std::stop_token stop) {
  Result<std::unique_ptr<Database>> database = Database::open(config.database);
  if (!database.ok()) return runtime::fail_to_start(database.error());
  Sampler sampler(**database);
  Result<std::unique_ptr<runtime::Service>> service =
      runtime::Service::start(**database, config, [&] { return sampler.counts(); });
  if (!service.ok()) return runtime::fail_to_start(service.error());
  for (ConfiguredInput& input : inputs) sampler.start(input.type, std::move(input.input));
  runtime::wait_until(stop);
  (*service)->stopping();
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
