#include "cli/report/prometheus.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/dashboards/promql.h"

namespace dunlin::cli {

namespace {

using nlohmann::json;

constexpr double kPoints = 240;          // of a range
constexpr double kRateSecondsMin = 120;  // two scrapes a minute apart

std::string number(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.3f", value);
  return text;
}

std::optional<double> value_of(const json& text) {
  const double value = std::strtod(text.get_ref<const std::string&>().c_str(), nullptr);
  return std::isnan(value) ? std::nullopt : std::optional(value);
}

// One value for each of `at`; Prometheus leaves out times at which there is nothing.
Curve curve_of(const json& result, const std::vector<double>& at, double step) {
  Curve curve{{}, std::vector<std::optional<double>>(at.size())};
  for (const auto& [label, value] : result.at("metric").items())
    curve.labels[label] = value.get<std::string>();
  const json points =
      result.contains("values") ? result["values"] : json::array({result.at("value")});
  for (const json& point : points) {
    const double where = (point.at(0).get<double>() - at.front()) / step;
    const auto i = static_cast<std::size_t>(std::llround(std::clamp(where, 0.0, 1e6)));
    if (i < at.size()) curve.values[i] = value_of(point.at(1));
  }
  return curve;
}

}  // namespace

Prometheus::Prometheus(Fetcher fetcher, std::string url, Range range)
    : fetcher_(std::move(fetcher)),
      url_(std::move(url)),
      range_(range),
      step_(std::max(1.0, std::ceil((range.to - range.from) / kPoints))) {}

Result<Curves> Prometheus::ask(const Series& series, const Chosen& chosen, bool last) {
  const auto seconds = [](double length) {
    return std::to_string(std::llround(std::max(1.0, length))) + "s";
  };
  const std::string query =
      promql(series, {.interval = seconds(std::max(kRateSecondsMin, 2 * step_)),
                      .range = seconds(range_.to - range_.from),
                      .chosen = chosen});
  const std::string path = last ? "/api/v1/query?time=" + number(range_.to)
                                : "/api/v1/query_range?start=" + number(range_.from) +
                                      "&end=" + number(range_.to) + "&step=" + number(step_);
  DUNLIN_ASSIGN(const std::string body, fetcher_.get(path + "&query=" + percent_encoded(query)));
  Curves out;
  if (last) {
    out.at = {range_.to};
  } else {
    for (double at = range_.from; at <= range_.to; at += step_) out.at.push_back(at);
  }
  try {
    const json answer = json::parse(body);
    for (const json& result : answer.at("data").at("result"))
      out.curves.push_back(curve_of(result, out.at, step_));
  } catch (const json::exception& error) {
    return {Errc::malformed, url_ + ": " + error.what()};
  }
  return out;
}

std::string Prometheus::about() const {
  return "Prometheus at " + url_;
}

}  // namespace dunlin::cli
