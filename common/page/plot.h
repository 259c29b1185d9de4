#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace dunlin::page {

// From left to right.
struct Axis {
  double from = 0, to = 1;
  std::vector<double> ticks;
  std::function<std::string(double)> text;  // of a place on it
  std::string name;
};
Axis hours_axis(double hours);
Axis clock_axis(double from, double to);  // Unix seconds, as UTC

struct Frame {
  std::string title;
  std::string about;  // a sentence below it
  Axis across = {};
  double width = 560;  // as wide as it is shown, more or less: texts grow and shrink with it
};

// Lines, as an inline SVG whose colours are the page's (classes line0 to line7, again and again).
struct Plot {
  struct Line {
    std::string name;
    std::vector<std::optional<double>> values;  // one for each of `at`
  };
  Frame frame;
  std::vector<double> at = {};  // on the axis, ascending
  std::vector<Line> lines = {};
  std::function<std::string(double)> text;  // of a value
  std::vector<double> ticks = {};           // of a logarithmic scale; none: a linear one
  std::optional<double> top = {};           // of a linear one
  bool stacked = false;                     // as areas, one on the other
  struct Band {
    double from = 0, to = 0;
    std::string name;
  };
  std::optional<Band> band = {};
};
std::string draw(const Plot& plot);

// How many there were of each size, as cells that are the darker the more there are.
struct HeatMap {
  Frame frame;
  std::vector<double> at = {};
  std::vector<double> bounds = {};              // upper ones, ascending; the last may be infinite
  std::vector<std::vector<double>> cells = {};  // for each of `at`, one for each of `bounds`
  std::function<std::string(double)> text;      // of a bound
};
std::string draw(const HeatMap& map);

}  // namespace dunlin::page
