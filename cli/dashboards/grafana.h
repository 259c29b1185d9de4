#pragma once

#include <string>

#include "cli/dashboards/panels.h"

namespace dunlin::cli {

// A dashboard as Grafana imports and provisions it: JSON with a newline at its end.
std::string grafana_json(const Dashboard& dashboard);

}  // namespace dunlin::cli
