#include "cli/dashboards/grafana.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/dashboards/promql.h"

namespace dunlin::cli {

namespace {

using nlohmann::ordered_json;

constexpr int kSchemaVersion = 39;  // of Grafana 11; later ones migrate it
constexpr std::uint64_t kColumns = 24;

const ordered_json kSource = {{"type", "prometheus"}, {"uid", "${datasource}"}};

// "{label}" is "{{label}}" there.
std::string legend(const Series& series) {
  std::string out;
  for (const char c : series.name) out += c == '{' ? "{{" : c == '}' ? "}}" : std::string(1, c);
  return out;
}

bool is_instant(const Panel& panel) {
  return panel.kind == Panel::Kind::number || panel.kind == Panel::Kind::bars;
}

ordered_json targets(const Panel& panel) {
  ordered_json out = ordered_json::array();
  for (const Series& series : panel.series) {
    const std::string id(1, static_cast<char>('A' + out.size()));
    ordered_json target{{"refId", id},
                        {"datasource", kSource},
                        {"expr", promql(series, {})},
                        {"legendFormat", series.name.empty() ? panel.title : legend(series)},
                        {"instant", is_instant(panel)},
                        {"range", !is_instant(panel)}};
    if (panel.kind == Panel::Kind::heatmap) {
      target["format"] = "heatmap";
      target["legendFormat"] = "{{le}}";
    }
    out.push_back(std::move(target));
  }
  return out;
}

ordered_json thresholds(const Panel& panel) {
  ordered_json steps = ordered_json::array();
  const auto from = [&](ordered_json value, const char* color) {
    steps.push_back({{"color", color}, {"value", std::move(value)}});
  };
  if (panel.bad_below || panel.warn_below) {
    from(nullptr, panel.bad_below ? "red" : "orange");
    if (panel.bad_below && panel.warn_below) from(*panel.bad_below, "orange");
    from(panel.warn_below ? *panel.warn_below : *panel.bad_below, "green");
  } else {
    from(nullptr, panel.warn || panel.bad ? "green" : "text");
    if (panel.warn) from(*panel.warn, "orange");
    if (panel.bad) from(*panel.bad, "red");
  }
  return {{"mode", "absolute"}, {"steps", steps}};
}

ordered_json defaults(const Panel& panel) {
  static constexpr const char* kUnits[] = {"short", "cps", "s", "bytes", "Bps", "percentunit"};
  ordered_json out{{"unit", kUnits[static_cast<std::size_t>(panel.unit)]}};
  if (!panel.words.empty()) {
    ordered_json words;
    for (std::size_t i = 0; i < panel.words.size(); ++i)
      words[std::to_string(i)] = {{"text", panel.words[i]}, {"index", i}};
    out["mappings"] = ordered_json::array({{{"type", "value"}, {"options", words}}});
  }
  switch (panel.kind) {
    case Panel::Kind::number:
    case Panel::Kind::bars:
      out["color"] = {{"mode", "thresholds"}};
      out["thresholds"] = thresholds(panel);
      break;
    case Panel::Kind::lines:
      out["custom"] = {
          {"drawStyle", "line"}, {"lineWidth", 2}, {"fillOpacity", 0}, {"showPoints", "never"}};
      break;
    case Panel::Kind::stack:
      out["min"] = 0;
      out["custom"] = {{"drawStyle", "line"},
                       {"lineWidth", 1},
                       {"fillOpacity", 60},
                       {"showPoints", "never"},
                       {"stacking", {{"mode", "normal"}, {"group", "A"}}}};
      break;
    case Panel::Kind::heatmap:
      break;
  }
  return out;
}

ordered_json last_value() {
  return {{"calcs", {"lastNotNull"}}, {"fields", ""}, {"values", false}};
}

ordered_json options(const Panel& panel) {
  switch (panel.kind) {
    case Panel::Kind::number:
      return {{"reduceOptions", last_value()},
              {"orientation", "auto"},
              {"colorMode", "value"},
              {"graphMode", "none"},
              {"justifyMode", "auto"},
              {"textMode", "auto"},
              {"wideLayout", true},
              {"showPercentChange", false},
              {"percentChangeColorMode", "standard"}};
    case Panel::Kind::bars:
      return {{"reduceOptions", last_value()},
              {"orientation", "horizontal"},
              {"displayMode", "basic"},
              {"valueMode", "color"},
              {"namePlacement", "auto"},
              {"showUnfilled", true},
              {"sizing", "auto"},
              {"minVizWidth", 8},
              {"minVizHeight", 16},
              {"maxVizHeight", 40},
              {"legend",
               {{"showLegend", false},
                {"displayMode", "list"},
                {"placement", "bottom"},
                {"calcs", ordered_json::array()}}}};
    case Panel::Kind::lines:
    case Panel::Kind::stack:
      return {{"legend",
               {{"showLegend", true},
                {"displayMode", "list"},
                {"placement", "bottom"},
                {"calcs", ordered_json::array()}}},
              {"tooltip", {{"mode", "multi"}, {"sort", "desc"}}}};
    case Panel::Kind::heatmap:
      return {{"calculate", false},
              {"cellGap", 1},
              {"color",
               {{"mode", "scheme"},
                {"scheme", "Blues"},
                {"fill", "dark-blue"},
                {"scale", "exponential"},
                {"exponent", 0.5},
                {"steps", 64},
                {"reverse", false}}},
              {"exemplars", {{"color", "rgba(255,0,255,0.7)"}}},
              {"filterValues", {{"le", 1e-9}}},
              {"legend", {{"show", true}}},
              {"rowsFrame", {{"layout", "auto"}}},
              {"showValue", "never"},
              {"tooltip", {{"mode", "single"}, {"yHistogram", true}}},
              {"yAxis", {{"axisPlacement", "left"}, {"reverse", false}, {"unit", "s"}}}};
  }
  return {};
}

ordered_json place(std::uint64_t x, std::uint64_t y, std::uint64_t width, std::uint64_t height) {
  return {{"x", x}, {"y", y}, {"w", width}, {"h", height}};
}

ordered_json panels(const Dashboard& dashboard) {
  static constexpr const char* kTypes[] = {"stat", "timeseries", "timeseries", "heatmap",
                                           "bargauge"};
  ordered_json out = ordered_json::array();
  std::uint64_t y = 0;
  for (const Row& row : dashboard.rows) {
    out.push_back({{"id", out.size() + 1},
                   {"type", "row"},
                   {"title", row.title},
                   {"collapsed", false},
                   {"gridPos", place(0, y++, kColumns, 1)},
                   {"panels", ordered_json::array()}});
    std::uint64_t x = 0, height = 0;
    for (const Panel& panel : row.panels) {
      if (x + panel.width > kColumns) {
        y += height;
        x = height = 0;
      }
      const std::uint64_t own = panel.kind == Panel::Kind::number ? 4 : 8;
      height = std::max(height, own);
      out.push_back(
          {{"id", out.size() + 1},
           {"type", kTypes[static_cast<std::size_t>(panel.kind)]},
           {"title", panel.title},
           {"description", panel.about},
           {"datasource", kSource},
           {"gridPos", place(x, y, panel.width, own)},
           {"targets", targets(panel)},
           {"fieldConfig", {{"defaults", defaults(panel)}, {"overrides", ordered_json::array()}}},
           {"options", options(panel)}});
      x += panel.width;
    }
    y += height;
  }
  return out;
}

// What people choose by one label goes by another.
ordered_json variable(const Choice& choice) {
  const std::string among = promql(choice.among, {});
  const bool same = choice.value == choice.text;
  ordered_json out{{"name", choice.name},   {"label", choice.title}, {"type", "query"},
                   {"datasource", kSource}, {"refresh", 2},          {"sort", 1},
                   {"multi", false},        {"includeAll", false}};
  const std::string query =
      same ? "label_values(" + among + ", " + choice.value + ")"
           : "query_result(max by (" + choice.value + ", " + choice.text + ") (" + among + "))";
  out["query"] = {{"query", query}, {"refId", "choice"}};
  if (!same)
    out["regex"] =
        "/" + choice.text + "=\"(?<text>[^\"]+)|" + choice.value + "=\"(?<value>[^\"]+)/g";
  return out;
}

}  // namespace

std::string grafana_json(const Dashboard& dashboard) {
  ordered_json variables = ordered_json::array({{{"name", "datasource"},
                                                 {"label", "Prometheus"},
                                                 {"type", "datasource"},
                                                 {"query", "prometheus"},
                                                 {"refresh", 1},
                                                 {"multi", false},
                                                 {"includeAll", false}}});
  if (dashboard.choice) variables.push_back(variable(*dashboard.choice));
  const ordered_json out{
      {"uid", "dunlin-" + dashboard.name},
      {"title", dashboard.title},
      {"description",
       dashboard.about + " Made by `dunlin dashboards` from cli/dashboards/panels.toml."},
      {"tags", {"dunlin"}},
      {"schemaVersion", kSchemaVersion},
      {"editable", true},
      {"graphTooltip", 1},
      {"refresh", "30s"},
      {"timezone", "browser"},
      {"time", {{"from", "now-6h"}, {"to", "now"}}},
      {"annotations", {{"list", ordered_json::array()}}},
      {"links", ordered_json::array({{{"title", "Dunlin"},
                                      {"type", "dashboards"},
                                      {"tags", {"dunlin"}},
                                      {"asDropdown", false},
                                      {"icon", "external link"},
                                      {"includeVars", true},
                                      {"keepTime", true},
                                      {"targetBlank", false},
                                      {"tooltip", ""},
                                      {"url", ""}}})},
      {"templating", {{"list", variables}}},
      {"panels", panels(dashboard)}};
  return out.dump(2) + "\n";
}

}  // namespace dunlin::cli
