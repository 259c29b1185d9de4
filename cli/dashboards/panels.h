#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dunlin/result.h"

namespace dunlin::cli {

// What of a metric is shown: `rate` and `buckets` a second, `increase` of the range shown, `age`
// and `left` of a timestamp. `buckets` and `quantile` are of a histogram, named without _bucket.
enum class Form : std::uint8_t { value, magnitude, rate, increase, age, left, buckets, quantile };

struct Matcher {
  std::string label;
  std::string value;  // "$x": what is chosen for x
  bool differs = false;
};

// Values whose labels agree in `by` become one.
struct Step {
  enum class Op : std::uint8_t { sum, max, min, median } op;
  std::vector<std::string> by;
};

struct Series {
  std::string metric;
  Form form = Form::value;
  double quantile = 0;
  std::vector<Matcher> where = {};
  std::vector<Step> combine = {};
  bool named = false;               // adds the label `name` of dunlin_node_info to what has `node`
  std::size_t top = 0;              // the greatest alone; 0 = all
  std::optional<double> none = {};  // where there is nothing
  std::string name = {};            // "{label}" stands for its value
};

struct Panel {
  enum class Kind : std::uint8_t { number, lines, stack, heatmap, bars } kind;
  enum class Unit : std::uint8_t {
    count,
    per_second,
    seconds,
    bytes,
    bytes_per_second,
    share
  } unit;
  std::string title;
  std::string about;
  std::uint64_t width = 0;                    // of 24
  std::optional<double> warn = {}, bad = {};  // values from there on are
  std::optional<double> warn_below = {}, bad_below = {};
  std::vector<std::string> words = {};  // for 0 and 1
  std::vector<Series> series = {};
};

struct Row {
  std::string title;
  std::vector<Panel> panels;
};

// What a dashboard is about, one of many: values of the label `value`, called by that of `text`.
struct Choice {
  std::string name;
  std::string title;
  Series among;
  std::string value;
  std::string text;
};

struct Dashboard {
  std::string name;
  std::string title;
  std::string about;
  std::optional<Choice> choice;
  std::vector<Row> rows;
};

// `config` with all mistakes, each with its line.
Result<std::vector<Dashboard>> read_dashboards(std::string_view toml);
// Those of panels.toml, which the program carries.
const std::vector<Dashboard>& dashboards();

// The name of a series whose labels these are.
std::string name_of(const Series& series, const std::map<std::string, std::string>& labels);

}  // namespace dunlin::cli
