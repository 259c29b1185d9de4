#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace dunlin::simulation {

// Lines over hours, as an inline SVG whose colours are the page's (classes line0, line1 ...).
struct Plot {
  struct Line {
    std::string name;
    std::vector<std::optional<double>> values;  // one for each of `hours`
  };
  std::string title;
  std::string about;  // a sentence below it
  std::vector<double> hours;
  std::vector<Line> lines;
  std::function<std::string(double)> text;  // of a value
  std::vector<double> ticks = {};           // of a logarithmic scale; none: a linear one
  std::optional<double> top = {};           // of a linear one
  struct Band {
    double from = 0, to = 0;  // hours
    std::string name;
  };
  std::optional<Band> band = {};
};
std::string draw(const Plot& plot);
std::string escape(std::string_view text);  // for HTML

}  // namespace dunlin::simulation
