#pragma once

#include <string>
#include <vector>

#include "cli/report/curves.h"

namespace dunlin::cli {

struct ReportPlan {
  std::vector<std::string> nodes = {};  // by name or id; none: the one that is furthest behind
  double from = 0, to = 0;              // Unix seconds
};

// All panels of all dashboards, drawn on one page: the fleet's, those of each gateway and those of
// nodes. A panel without values says so. `not_found` when a node of the plan is not known, and what
// `source` says when it does not answer.
Result<std::string> report_page(const std::vector<Dashboard>& dashboards, Source& source,
                                const ReportPlan& plan);

}  // namespace dunlin::cli
