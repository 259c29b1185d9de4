#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cli/report/curves.h"

namespace dunlin::cli {

// A panel as HTML, with what each of its series gave, over a range of Unix seconds.
std::string draw_panel(const Panel& panel, const std::vector<Curves>& values,
                       std::pair<double, double> range);

}  // namespace dunlin::cli
