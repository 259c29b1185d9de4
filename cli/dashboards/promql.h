#pragma once

#include <map>
#include <string>

#include "cli/dashboards/panels.h"

namespace dunlin::cli {

// What stands in a query for what is only known when it is asked: Grafana's words for it, or
// values.
struct Asking {
  std::string interval = "$__rate_interval";       // over which rates are taken
  std::string range = "$__range";                  // that is shown
  std::map<std::string, std::string> chosen = {};  // of choices; what is missing stays "$x"
};

// The query of Prometheus that gives a series.
std::string promql(const Series& series, const Asking& asking);

}  // namespace dunlin::cli
