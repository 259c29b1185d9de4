#include "cli/dashboards/promql.h"

#include <array>
#include <charconv>

namespace dunlin::cli {

namespace {

// A value of a label, in quotes.
std::string quoted(const std::string& value) {
  std::string out = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out + '"';
}

std::string list(const std::vector<std::string>& labels) {
  std::string out;
  for (const std::string& label : labels) out += (out.empty() ? "" : ", ") + label;
  return out;
}

std::string number(double value) {
  std::array<char, 32> text;
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

std::string selector(const Series& series, const Asking& asking) {
  const bool buckets = series.form == Form::buckets || series.form == Form::quantile;
  std::string out = series.metric + (buckets ? "_bucket" : "");
  std::string where;
  for (const Matcher& matcher : series.where) {
    std::string value = matcher.value;
    if (value.starts_with('$')) {
      const auto chosen = asking.chosen.find(value.substr(1));
      if (chosen != asking.chosen.end()) value = chosen->second;
    }
    where += (where.empty() ? "" : ", ") + matcher.label + (matcher.differs ? "!=" : "=") +
             quoted(value);
  }
  return where.empty() ? out : out + "{" + where + "}";
}

std::string formed(const Series& series, const Asking& asking) {
  const std::string of = selector(series, asking);
  switch (series.form) {
    case Form::value:
      return of;
    case Form::magnitude:
      return "abs(" + of + ")";
    case Form::rate:
    case Form::buckets:
    case Form::quantile:
      return "rate(" + of + "[" + asking.interval + "])";
    case Form::increase:
      return "increase(" + of + "[" + asking.range + "])";
    case Form::age:
      return "time() - " + of;
    case Form::left:
      return of + " - time()";
  }
  return of;
}

std::string combined(const Step& step, const std::string& of) {
  static constexpr const char* kNames[] = {"sum", "max", "min", "quantile"};
  const std::string by = step.by.empty() ? "" : " by (" + list(step.by) + ") ";
  const std::string first = step.op == Step::Op::median ? "0.5, " : "";
  return kNames[static_cast<std::size_t>(step.op)] + by + "(" + first + of + ")";
}

}  // namespace

std::string promql(const Series& series, const Asking& asking) {
  std::string query = formed(series, asking);
  for (const Step& step : series.combine) query = combined(step, query);
  if (series.form == Form::quantile)
    query = "histogram_quantile(" + number(series.quantile) + ", " + query + ")";
  // Gateways may differ in what they call a node.
  if (series.named)
    query +=
        " * on (node) group_left (name) topk by (node) (1, max by (node, name) (dunlin_node_info))";
  if (series.top > 0) query = "topk(" + std::to_string(series.top) + ", " + query + ")";
  if (series.none) query += " or vector(" + number(*series.none) + ")";
  return query;
}

}  // namespace dunlin::cli
