#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/http/tls.h"
#include "common/runtime/node_view.h"
#include "common/telemetry/log.h"

namespace dunlin::api {

// What only the program knows, by name.
struct InputCounts {
  std::map<std::string, std::uint64_t> errors;  // malformed lines and files, by input type
  std::map<std::string, std::uint64_t> down;    // inputs that hang or wait after a failure, by type
  std::map<std::string, std::uint64_t> readings_refused;  // by reason
};

struct HttpApiOptions {
  std::string listen;    // "127.0.0.1:7380", for whoever reaches it; port 0 takes any; "" = none
  std::string database;  // path of the SQLite file, for /v1/sql
  std::string version;
  std::string revision;
  std::function<InputCounts()> input_counts;  // may be empty
  log::Level log_level = log::Level::info;  // an agent loads this as a module with a log of its own
  log::Format log_format = log::Format::logfmt;
  bool http_exposed = false;            // `listen` is for other machines, too, which is warned of
  std::string https_listen = {};        // the same for members of the fleet alone; "" = no HTTPS
  http::TlsFiles tls = {};              // for that
  std::vector<std::string> cells = {};  // that are kept here: HTTPS is for readers of all of them
  std::string issuer = {};              // http://HOST:PORT that answers /v1/enrol; "" = none
};

// The HTTP endpoints of a node (common/doc/http.md): /v1/nodes, /v1/lag, /v1/gaps, /v1/sql,
// /metrics, /healthz and /readyz. Serves until destroyed; `node` must outlive it.
class HttpApi {
 public:
  static Result<std::unique_ptr<HttpApi>> start(runtime::NodeView& node, HttpApiOptions options);
  virtual ~HttpApi() = default;
  virtual int port() const = 0;        // 0 = none
  virtual int https_port() const = 0;  // 0 = none
};

}  // namespace dunlin::api
