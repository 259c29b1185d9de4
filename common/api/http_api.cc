#include "common/api/http_api.h"

#include "common/api/endpoints.h"
#include "common/api/enrolment.h"
#include "common/api/guard.h"

namespace dunlin::api {

namespace {

class Serving final : public HttpApi {
 public:
  Serving(runtime::NodeView& node, HttpApiOptions options)
      : node_(node),
        options_(std::move(options)),
        guard_(node, options_.cells),
        metrics_({options_.version, options_.revision}) {
    log::set_level(options_.log_level);
    log::set_format(options_.log_format);
    node.on_replicated([this](const replication::Replicated&, Duration latency) {
      metrics_.observe_replication_latency(latency);
    });
  }
  ~Serving() override {
    node_.on_replicated({});
    http_.reset();
    https_.reset();
  }

  Result<void> start() {
    if (options_.http_exposed) log::warn("http_exposed", {{"listen", options_.listen}});
    if (!options_.listen.empty()) {
      http_ = std::make_unique<http::Server>();
      add_endpoints(*http_, node_, metrics_, guard_, options_);
      DUNLIN_ASSIGN(port_, http_->start(options_.listen));
    }
    if (options_.https_listen.empty()) return {};
    http::ServerOptions members_only;
    DUNLIN_ASSIGN(members_only.tls, http::TlsContext::load(options_.tls));
    members_only.guard = [this](const http::Request& request) { return guard_.refusal(request); };
    members_only.on_no_handshake = [this](const Error& why) { guard_.note_no_handshake(why); };
    https_ = std::make_unique<http::Server>(std::move(members_only));
    add_endpoints(*https_, node_, metrics_, guard_, options_);
    if (!options_.issuer.empty()) add_enrolment(*https_, options_.issuer, options_.tls.authority);
    DUNLIN_ASSIGN(https_port_, https_->start(options_.https_listen));
    return {};
  }
  int port() const override { return port_; }
  int https_port() const override { return https_port_; }

 private:
  runtime::NodeView& node_;
  HttpApiOptions options_;
  Guard guard_;
  telemetry::Metrics metrics_;
  std::unique_ptr<http::Server> http_, https_;
  int port_ = 0, https_port_ = 0;
};

}  // namespace

Result<std::unique_ptr<HttpApi>> HttpApi::start(runtime::NodeView& node, HttpApiOptions options) {
  auto serving = std::make_unique<Serving>(node, std::move(options));
  DUNLIN_TRY(serving->start());
  return std::unique_ptr<HttpApi>(std::move(serving));
}

}  // namespace dunlin::api
