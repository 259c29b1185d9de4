#include "common/api/http_api.h"

#include "common/api/endpoints.h"

namespace dunlin::api {

namespace {

class Serving final : public HttpApi {
 public:
  Serving(runtime::NodeView& node, HttpApiOptions options)
      : node_(node), metrics_({options.version, options.revision}) {
    log::set_level(options.log_level);
    log::set_format(options.log_format);
    add_endpoints(server_, node, metrics_, options);
    node.on_replicated([this](const replication::Replicated&, Duration latency) {
      metrics_.observe_replication_latency(latency);
    });
  }
  ~Serving() override {
    node_.on_replicated({});
    server_.stop();
  }

  Result<void> start(const std::string& listen) {
    DUNLIN_ASSIGN(port_, server_.start(listen));
    return {};
  }
  int port() const override { return port_; }

 private:
  runtime::NodeView& node_;
  telemetry::Metrics metrics_;
  http::Server server_;
  int port_ = 0;
};

}  // namespace

Result<std::unique_ptr<HttpApi>> HttpApi::start(runtime::NodeView& node, HttpApiOptions options) {
  const std::string listen = options.listen;
  auto serving = std::make_unique<Serving>(node, std::move(options));
  DUNLIN_TRY(serving->start(listen));
  return std::unique_ptr<HttpApi>(std::move(serving));
}

}  // namespace dunlin::api
