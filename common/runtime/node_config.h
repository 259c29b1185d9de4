#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/config/table.h"
#include "common/security/bundle.h"
#include "common/telemetry/log.h"
#include "dunlin/database.h"

namespace dunlin::runtime {

// What agent and gateway share of their configuration file.
struct NodeConfig {
  DatabaseOptions database;
  std::optional<security::Bundle> bundle;  // to be installed in the data directory
  struct Files {
    std::string certificate, key, authority;
  };
  Files member_files;         // in the data directory; "" = of no fleet
  std::string http_listen;    // "" = no HTTP
  bool http_exposed = false;  // plain HTTP to other machines, as asked for
  std::string https_listen;   // "" = no HTTPS; only for a member
  std::string issuer;         // http://HOST:PORT that answers /v1/enrol; "" = none
  log::Level log_level = log::Level::info;
  log::Format log_format = log::Format::logfmt;
};

// Reads [node] [broker] [storage] [http] [https] [enrol] [log] [[stream]] [[track]]. Mistakes are
// recorded in the document; the result is only meaningful when there are none.
NodeConfig read_node_config(config::Table& root, Role role);

}  // namespace dunlin::runtime
