#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cli/dashboards/panels.h"
#include "cli/report/exposition.h"

namespace dunlin::cli {

// Values over time of what a series of a panel stands for.
struct Curve {
  Labels labels;
  std::vector<std::optional<double>> values;  // one for each time
};
struct Curves {
  std::vector<double> at;  // Unix seconds, ascending
  std::vector<Curve> curves;
};

using Chosen = std::map<std::string, std::string>;  // by the names of choices

// Where a report gets its values: Prometheus, or pages of /metrics that it fetched itself.
class Source {
 public:
  virtual ~Source() = default;
  // Over the range of the report; or, if `last`, at its end alone.
  virtual Result<Curves> ask(const Series& series, const Chosen& chosen, bool last) = 0;
  virtual std::string about() const = 0;  // for people
};

}  // namespace dunlin::cli
