#include "cli/dashboards/panels.h"

#include <algorithm>
#include <sstream>

#include "cli/dashboards/panels_toml.h"
#include "common/base/check.h"
#include "common/config/table.h"

namespace dunlin::cli {

namespace {

using config::Table;

// One of an enumeration, by names in its order.
template <typename Kind>
Kind one_of(Table& table, std::string_view key, const std::vector<std::string>& names) {
  const std::string name = table.choice(key, names.front(), names);
  return static_cast<Kind>(std::ranges::find(names, name) - names.begin());
}

std::optional<double> number(Table& table, std::string_view key) {
  if (!table.has(key)) return std::nullopt;
  return table.real(key, 0, -1e15, 1e15);
}

std::vector<Matcher> matchers(Table table) {
  std::vector<Matcher> out;
  for (auto& [label, value] : table.text_pairs()) {
    const bool differs = value.starts_with('!');
    out.push_back({label, differs ? value.substr(1) : value, differs});
  }
  return out;
}

// "max by node, name", or "max".
std::optional<Step> step_of(const std::string& text) {
  static const std::vector<std::string> kNames = {"sum", "max", "min", "median"};
  std::istringstream words(text);
  std::string word;
  words >> word;
  const auto name = std::ranges::find(kNames, word);
  if (name == kNames.end()) return std::nullopt;
  Step step{static_cast<Step::Op>(name - kNames.begin()), {}};
  if (words >> word && word != "by") return std::nullopt;
  while (words >> word) {
    if (word.ends_with(',')) word.pop_back();
    step.by.push_back(word);
  }
  return step;
}

Series series_of(Table& table) {
  Series series{.metric = table.required_text("metric")};
  series.form = one_of<Form>(
      table, "as",
      {"value", "magnitude", "rate", "increase", "age", "left", "buckets", "quantile"});
  if (series.form == Form::quantile) series.quantile = table.real("quantile", 0.5, 0, 1);
  series.where = matchers(table.table("where"));
  for (const std::string& text : table.texts("combine")) {
    const std::optional<Step> step = step_of(text);
    step ? series.combine.push_back(*step) : table.mistake("combine", "no step: " + text);
  }
  series.named = table.boolean("named", false);
  series.top = static_cast<std::size_t>(table.integer("top", 0, 0, 100));
  series.none = number(table, "none");
  series.name = table.text("name");
  return series;
}

Panel panel_of(Table& table) {
  Panel panel;
  panel.kind = one_of<Panel::Kind>(table, "kind", {"number", "lines", "stack", "heatmap", "bars"});
  panel.unit = one_of<Panel::Unit>(table, "unit",
                                   {"count", "count/s", "seconds", "bytes", "bytes/s", "share"});
  panel.title = table.required_text("title");
  panel.about = table.required_text("about");
  panel.width = static_cast<std::uint64_t>(table.integer("width", 12, 4, 24));
  panel.warn = number(table, "warn");
  panel.bad = number(table, "bad");
  panel.warn_below = number(table, "warn_below");
  panel.bad_below = number(table, "bad_below");
  if (table.has("words")) panel.words = table.texts("words");
  for (Table& each : table.tables("series")) panel.series.push_back(series_of(each));
  if (panel.series.empty()) table.mistake("series", "missing");
  return panel;
}

Dashboard dashboard_of(Table& table) {
  Dashboard dashboard{table.required_text("name"),
                      table.required_text("title"),
                      table.required_text("about"),
                      {},
                      {}};
  if (table.has("choice")) {
    Table choice = table.table("choice");
    dashboard.choice = Choice{
        choice.required_text("name"), choice.required_text("title"),
        Series{.metric = choice.required_text("metric"), .where = matchers(choice.table("where"))},
        choice.required_text("value"), choice.required_text("text")};
  }
  for (Table& each : table.tables("row")) {
    Row row{each.required_text("title"), {}};
    for (Table& panel : each.tables("panel")) row.panels.push_back(panel_of(panel));
    dashboard.rows.push_back(std::move(row));
  }
  return dashboard;
}

}  // namespace

Result<std::vector<Dashboard>> read_dashboards(std::string_view toml) {
  DUNLIN_ASSIGN(config::Document document, config::Document::parse(toml, "panels.toml", {}));
  std::vector<Dashboard> out;
  for (Table& table : document.root().tables("dashboard")) out.push_back(dashboard_of(table));
  std::string mistakes;
  for (const std::string& each : document.mistakes())
    mistakes += (mistakes.empty() ? "" : "\n") + each;
  if (!mistakes.empty()) return {Errc::config, mistakes};
  return out;
}

const std::vector<Dashboard>& dashboards() {
  static const std::vector<Dashboard> kDashboards = [] {
    Result<std::vector<Dashboard>> read = read_dashboards(kPanelsToml);
    DUNLIN_CHECK(read.ok());
    return *std::move(read);
  }();
  return kDashboards;
}

std::string name_of(const Series& series, const std::map<std::string, std::string>& labels) {
  std::string out;
  for (std::size_t at = 0; at < series.name.size();) {
    const std::size_t end = series.name[at] == '{' ? series.name.find('}', at) : std::string::npos;
    if (end == std::string::npos) {
      out += series.name[at++];
      continue;
    }
    const auto label = labels.find(series.name.substr(at + 1, end - at - 1));
    if (label != labels.end()) out += label->second;
    at = end + 1;
  }
  return out;
}

}  // namespace dunlin::cli
